"""Reads nothing from one connection while another gets everything: slow_reader.py HOST PORT BYTES"""
import socket
import sys

address = (sys.argv[1], int(sys.argv[2]))
size = int(sys.argv[3])


def drain(connection):
    received = 0
    while data := connection.recv(1 << 16):
        received += len(data)
    return received


slow = socket.create_connection(address)
fast = socket.create_connection(address)
print("fast", drain(fast), flush=True)
print("slow", drain(slow), flush=True)
