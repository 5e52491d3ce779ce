"""A bot that answers "!ping" in a channel. pyhost apache-conf/gogreen/ircbot.py host port nick channel"""
import socket
import sys

import coro


class Bot(coro.Thread):
    def __init__(self, host, port, nick, channel):
        super().__init__(name="ircbot")
        self.where, self.nick, self.channel = (host, port), nick, channel

    def run(self):
        with socket.create_connection(self.where) as sock, sock.makefile("r", encoding="utf-8", newline="") as irc:
            def say(line):
                sock.sendall(line.encode() + b"\r\n")

            say(f"NICK {self.nick}")
            say(f"USER {self.nick} 0 * :{self.nick}")
            for line in irc:
                words = line.rstrip("\r\n").split(" ", 3)
                if words[0] == "PING":
                    say("PONG " + words[1])
                elif words[1] == "001":
                    say("JOIN " + self.channel)
                elif words[1] == "PRIVMSG" and words[3] == ":!ping":
                    say(f"PRIVMSG {self.channel} :pong {words[0][1:].split('!')[0]}")
                elif words[1] == "PRIVMSG" and words[3] == ":!quit":
                    say("QUIT :bye")
                    return


bot = Bot(sys.argv[1], int(sys.argv[2]), *sys.argv[3:5])
bot.start()
bot.join()
