"""Connects where nobody listens: closed_port.py HOST PORT"""
import socket
import sys

try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=30)
except OSError as error:
    print(type(error).__name__)
