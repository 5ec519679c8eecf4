"""Sends every datagram back: datagram_echo.py PORT"""
import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", int(sys.argv[1])))
while True:
    server.sendto(*server.recvfrom(65536))
