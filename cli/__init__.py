"""The command lines `fftmech` and `ecosr`: options in, one library call, text out."""
