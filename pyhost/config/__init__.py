"""The configuration language: text -> tree -> settings -> C tables.

lexer (lines and words), parser (tree, Include, Define, IfDefine), table and directives (what there is), build (settings of servers and
sections), merge (httpd's order), finish (what C wants to read), install (the only part that needs the program: cffi).
"""
