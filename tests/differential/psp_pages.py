"""PSP pages for both servers: name -> text."""
PAGES = {
    "plain": "<html>text</html>\n",
    "expr": "a<%= 1+1 %>b<%= req.method %>\n",
    "manual": "<%\nfor n in range(3):\n\t# This indent will persist\n%>\n<p>para</p>\n<%\n# This line will cause the block to end\n%>\nend\n",
    "ifelse": "<%\nif 1:\n%>yes<%\nelse:\n%>no<%\n# end\n%>!\n",
    "inline": "<% if 1: %>yes<% # end\n%>!\n",
    "comment": "a<%-- nothing --%>b\n",
    "include": "a<%@ include file=\"included.txt\"%>b\n",
    "included.txt": "I",
    "escapes": "q\"\"\" \\n \\\\ \\x41 '\n",
    "form": "<%= form.has_key('aaaa') %>\n",
    "error": "<%= 1/0 %>\n",
    "syntax": "<% if %>\n",
    "session": "<% session['n'] = 1\n%>saved\n",
    "bracket": "<%\nx = [1,\n   2]\n%>T\n",
    "redirect": "lost<% psp.redirect('/there')\n%>\n",
}
