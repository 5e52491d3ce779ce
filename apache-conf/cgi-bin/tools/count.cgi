#!/bin/sh
# Counts as it goes: what a script writes is sent as it comes.
printf 'Content-Type: text/plain\r\n\r\n'
for number in 1 2 3; do
    echo "$number"
    sleep 0.2
done
