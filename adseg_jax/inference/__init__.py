"""What a finished run is used for: pictures in, label maps out."""
