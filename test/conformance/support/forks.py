"""Runs a script again and again, each time in a child of its own: what it imports is loaded once.
usage: forks.py SCRIPT; each line of stdin has the arguments of one run. Beside what the children
print, "started PID" and "ended PID" are."""
import base64, ctypes, errno, fcntl, json, os, select, signal, socket, struct, subprocess, sys
import threading, time

script = sys.argv[1]
with open(script) as file:
    code = compile(file.read(), script, 'exec')


def say(*words):
    os.write(1, (' '.join(map(str, words)) + '\n').encode())


def reap(*_):
    try:
        while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            say('ended', pid)
    except ChildProcessError:
        pass


signal.signal(signal.SIGCHLD, reap)
while line := sys.stdin.readline():
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        sys.argv = [script, *line.split()]
        say('started', os.getpid())
        exec(code, {'__name__': '__main__'})
        sys.exit()
