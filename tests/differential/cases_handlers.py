"""Handlers of the differential test: they run on Apache + mod_python 3.5 (Python 3.11) and on pyhost. `?name` says which one."""
import os

from mod_python import Cookie, Session, apache, util


def handler(req):
    name = (req.args or "").split("&")[0]
    return globals()["case_" + name](req)


def show(req, *values):
    req.content_type = "text/plain"
    for value in values:
        req.write("%s\n" % (value,), 0)
    return apache.OK


# Writing.

def case_write_flush(req):
    req.write("a")
    req.headers_out["X-Late"] = "lost"
    req.write("b")
    return apache.OK


def case_write_noflush(req):
    req.write("a", 0)
    req.headers_out["X-Late"] = "kept"
    req.write(b"b\xff", 0)
    return apache.OK


def case_write_nothing(req):
    return apache.OK


def case_write_unicode(req):
    return show(req, "\u20ac\u00e9")


def case_length_set(req):
    req.set_content_length(3)
    req.write("abc")
    return apache.OK


def case_status_own_page(req):
    req.status = 404
    req.headers_out["X-Out"] = "1"
    req.err_headers_out["X-Err"] = "1"
    req.write("own page", 0)
    return apache.OK


def case_error_return(req):
    req.headers_out["X-Out"] = "1"
    req.err_headers_out["X-Err"] = "1"
    req.write("dropped", 0)
    return apache.HTTP_NOT_FOUND


def case_error_after_flush(req):
    req.write("sent")
    return apache.HTTP_NOT_FOUND


def case_return_200(req):
    req.write("x", 0)
    return apache.HTTP_OK


def case_return_none(req):
    req.write("x", 0)


def case_return_true(req):
    return True


def case_return_done(req):
    req.write("done", 0)
    return apache.DONE


def case_return_declined(req):
    return apache.DECLINED


def case_raise_ok(req):
    req.write("x", 0)
    raise apache.SERVER_RETURN(apache.OK)


def case_raise_status(req):
    raise apache.SERVER_RETURN(apache.HTTP_FORBIDDEN)


def case_raise_two(req):
    req.write("x", 0)
    raise apache.SERVER_RETURN(apache.OK, 202)


def case_raise_tuple(req):
    raise apache.SERVER_RETURN((1, 2))


def case_raise_nothing(req):
    raise apache.SERVER_RETURN


def case_status_teapot(req):
    req.status = 418
    req.write("tea", 0)
    return apache.OK


def case_status_line(req):
    req.status = 404
    req.status_line = "404 Nowhere"
    req.write("x", 0)
    return apache.OK


def case_header_newline(req):
    req.headers_out["X-A"] = "a\r\nX-Injected: b"
    req.write("x", 0)
    return apache.OK


def case_header_latin1(req):
    req.headers_out["X-A"] = "caf\u00e9"
    req.write("x", 0)
    return apache.OK


def case_header_wide(req):
    try:
        req.headers_out["X-A"] = "\u20ac"
    except TypeError as error:
        return show(req, "TypeError")
    return show(req, "set")


def case_cookie_order(req):
    req.headers_out.add("Set-Cookie", "out=1")
    req.err_headers_out.add("Set-Cookie", "err=1")
    req.write("x", 0)
    return apache.OK


def case_no_cache(req):
    req.no_cache = 1
    req.write("x", 0)
    return apache.OK


def case_debug(req):
    raise ValueError("shown <b>")


def case_redirect(req):
    util.redirect(req, "relative/place")


def case_redirect_permanent(req):
    util.redirect(req, "http://other.example/", 1)


def case_internal_redirect(req):
    req.write("before ", 0)
    req.internal_redirect("/h/x?write_noflush")
    return apache.OK


def case_sendfile(req):
    sent = req.sendfile(os.path.join(os.path.dirname(__file__), "data.txt"), 2, 3)
    assert sent == 3
    return apache.OK


def case_meets_conditions(req):
    req.update_mtime(1000000000.0)
    req.set_last_modified()
    status = req.meets_conditions()
    if status != apache.OK:
        return status
    req.write("fresh", 0)
    return apache.OK


# Reading.

def case_read(req):
    return show(req, req.read(3), req.readline(2), req.readline(), req.read(0), req.read(), req.read())


def case_readlines(req):
    return show(req, req.readlines())


def case_readlines_hint(req):
    return show(req, req.readlines(3), req.read())


def case_discard(req):
    return show(req, req.discard_request_body(), req.read())


def case_body_members(req):
    before = (req.remaining, req.read_length, req.clength)
    data = req.read()
    return show(req, before, len(data), req.remaining, req.headers_in.get("Content-Length"))


# Members.

def case_members(req):
    return show(req, *("%s=%r" % (name, getattr(req, name)) for name in (
        "the_request", "header_only", "protocol", "proto_num", "hostname", "method", "method_number", "status", "status_line", "uri", "args",
        "unparsed_uri", "path_info", "content_type", "user", "ap_auth_type", "no_cache", "assbackwards", "proxyreq", "used_path_info", "phase",
        "extension", "clength", "bytes_sent", "sent_bodyct", "mtime", "range", "allowed_methods", "content_languages", "handler", "main", "prev", "next",
        "chunked", "expecting_100", "content_encoding", "vlist_validator")))


def case_filename(req):
    base = req.document_root()
    return show(req, req.filename.replace(base, "ROOT"), req.canonical_filename.replace(base, "ROOT"), req.path_info, req.finfo.filetype)


def case_types(req):
    return show(req, type(req), type(req.connection), type(req.server), type(req.headers_in), type(req.finfo), type(req.hlist), type(req.parsed_uri))


def case_parsed_uri(req):
    return show(req, req.parsed_uri)


def case_set_readonly(req):
    found = []
    for name in ("method", "connection", "headers_in", "protocol", "phase", "hostname", "the_request", "unparsed_uri", "finfo", "interpreter"):
        try:
            setattr(req, name, "x")
            found.append(name)
        except (AttributeError, TypeError) as error:
            found.append(type(error).__name__)
    return show(req, found)


def case_own_attribute(req):
    req.mine = [1]
    return show(req, req.mine, hasattr(req, "nothing"))


def case_none_members(req):
    found = []
    for name in ("uri", "user", "content_type", "filename", "args", "handler", "path_info"):
        try:
            setattr(req, name, None)
            found.append(name)
        except TypeError:
            found.append("TypeError")
    return show(req, found)


def case_hlist(req):
    found, one = [], req.hlist
    found.append((one.handler, one.directory.replace(req.document_root(), "ROOT"), one.silent, one.is_location))
    one.next()
    found.append((one.handler, one.directory))
    return show(req, *found)


def case_connection(req):
    c = req.connection
    return show(req, c.client_ip, c.local_ip, c.client_addr[0], c.keepalives, c.keepalive, c.aborted, c.remote_host, c.remote_logname, c.double_reverse, c.local_host)


def case_server(req):
    s = req.server
    return show(req, s.server_hostname, s.names, s.wild_names, s.is_virtual, s.limit_req_fieldsize, s.limit_req_fields, s.keep_alive, s.keep_alive_max, s.path)


def case_remote_host(req):
    return show(req, req.get_remote_host(apache.REMOTE_NOLOOKUP), req.get_remote_host(apache.REMOTE_NOLOOKUP, 1))


def case_construct_url(req):
    return show(req, req.construct_url("/x").replace(req.headers_in["Host"].rpartition(":")[2], "PORT"))


def case_is_https(req):
    return show(req, req.is_https(), req.ssl_var_lookup("SSL_CLIENT_CERT"))


def case_allow(req):
    req.allow_methods(["GET", "POST"])
    return apache.HTTP_METHOD_NOT_ALLOWED


def case_common_vars(req):
    req.add_common_vars()
    env = req.subprocess_env
    return show(req, *("%s=%s" % (k, env.get(k)) for k in ("SERVER_PROTOCOL", "REQUEST_METHOD", "QUERY_STRING", "REQUEST_URI", "SCRIPT_NAME", "PATH_INFO",
                "GATEWAY_INTERFACE", "SERVER_NAME", "REMOTE_ADDR", "HTTP_X_ONE", "CONTENT_TYPE", "REQUEST_SCHEME")))


def case_config_options(req):
    return show(req, sorted(req.get_config().items()), sorted(req.get_options().items()))


def case_auth_names(req):
    return show(req, req.auth_type(), req.auth_name(), req.get_basic_auth_pw())


def case_stat(req):
    missing = apache.stat("/nonexistent/file", apache.APR_FINFO_NORM)
    there = apache.stat(os.path.join(os.path.dirname(__file__), "data.txt"), apache.APR_FINFO_NORM)
    return show(req, missing.filetype, there.filetype, there.size, there[apache.FINFO_SIZE])


def case_bad_add_handler(req):
    try:
        req.add_handler("NoSuchHandler", "x")
    except Exception as error:
        return show(req, type(error).__name__, error)


def case_add_handler_same_phase(req):
    req.write("first ", 0)
    req.add_handler("PythonHandler", "cases_handlers::added")
    return apache.OK


def case_add_handler_log(req):
    req.add_handler("PythonLogHandler", "cases_handlers::added_log")
    req.write("ok", 0)
    return apache.OK


def added(req):
    req.write("added", 0)
    return apache.OK


def added_log(req):
    return apache.OK


def case_register_cleanup_bad(req):
    try:
        req.register_cleanup("not callable")
    except Exception as error:
        return show(req, type(error).__name__)


def case_log_error(req):
    req.log_error("line\nbreak", apache.APLOG_NOTICE)
    apache.log_error("plain", apache.APLOG_NOTICE)
    return show(req, "logged")


# Tables.

def case_table(req):
    t = apache.make_table()
    t["A"] = "1"
    t.add("a", "2")
    t["b"] = "x"
    found = [t, t["a"], t.get("a"), t.keys(), t.values(), t.items(), len(t), "B" in t, t.has_key("zz"), t.setdefault("n"), t]
    t["a"] = "only"
    del t["missing"]
    found += [t, t.popitem(), t, t.copy() == t, t == {"b": "x", "n": ""}]
    for key in ("gone",):
        try:
            t[key]
        except KeyError as error:
            found.append(repr(error))
    t.update({"k": "v"})
    found += [sorted(t.keys()), apache.table({"z": "1"}), bool(apache.table())]
    return show(req, *map(str, found))


def case_table_setdefault_value(req):
    return show(req, apache.table().setdefault("k", "v"))


def case_table_int(req):
    try:
        req.headers_out["X"] = 1
    except TypeError:
        return show(req, "TypeError")
    return show(req, "set")


def case_headers_in(req):
    return show(req, req.headers_in.get("x-one"), req.headers_in["X-ONE"], "Nothing" in req.headers_in)


def case_header_8bit(req):
    return show(req, ascii(req.headers_in["X-One"]))


def case_header_out_8bit_read(req):
    req.headers_out["X-A"] = "caf\u00e9"
    return show(req, ascii(req.headers_out["X-A"]))


# util, Cookie, Session.

def case_form(req):
    fs = util.FieldStorage(req, keep_blank_values=1)
    return show(req, *sorted("%s=%s" % (f.name, f.value) for f in fs.list))


def case_form_types(req):
    fs = util.FieldStorage(req)
    return show(req, *[(type(f.name).__name__, type(f.value).__name__) for f in fs.list])


def case_form_upload(req):
    field = util.FieldStorage(req)["f"]
    return show(req, field.filename, field.type, field.value, field.file.read() if field.file.seek(0) in (0, None) else "", field.disposition)


def case_form_dict(req):
    fs = util.FieldStorage(req)
    return show(req, sorted(fs.keys()), len(fs), "a" in fs, fs.has_key("zz"), fs.get("zz", None), fs.getfirst("zz", "d"), fs.getlist("zz"))


def case_parse_qs(req):
    found = [sorted(util.parse_qs(q, k).items()) for q in ("aaaa=1111&bbbb=2222", "aaaa=1111;aaaa=x+y%20z", "aaaa", "aaaa=%zz") for k in (0, 1)]
    return show(req, *found)


def case_parse_qsl_short(req):
    return show(req, util.parse_qsl("a=1"))


def case_parse_qs_8bit(req):
    return show(req, ascii(util.parse_qs("a=%e9")))


def case_cookie_str(req):
    found = [Cookie.Cookie("n", "v", path="/", domain="d.example", secure=1, httponly=1, version=1, comment="c", samesite="Lax"),
             Cookie.Cookie("n", "v", expires=0), Cookie.Cookie("n", "v")]
    return show(req, *map(str, found))


def case_cookie_max_age(req):
    return show(req, str(Cookie.Cookie("n", "v", max_age=5)))


def case_cookie_bad_attribute(req):
    try:
        Cookie.Cookie("n", "v", colour="red")
    except AttributeError:
        return show(req, "AttributeError")
    return show(req, "made")


def case_cookies(req):
    return show(req, *sorted("%s=%s" % (k, c.value) for k, c in Cookie.get_cookies(req).items()))


def case_add_cookie(req):
    Cookie.add_cookie(req, "a", "1", path="/")
    Cookie.add_cookie(req, Cookie.Cookie("b", "2"))
    return show(req, "x")


def case_signed_cookie(req):
    return show(req, Cookie.SignedCookie.parse(str(Cookie.SignedCookie("n", "v", "secret")), secret="secret")["n"].value)


def case_session(req):
    session = Session.Session(req)
    session["n"] = session.get("n", 0) + 1
    session.save()
    return show(req, session.is_new(), session["n"], session.timeout(), len(session.id()))


def case_session_bad_sid(req):
    try:
        Session.Session(req, sid="x")
    except ValueError as error:
        return show(req, error)


def case_constants(req):
    names = sorted(name for name in dir(apache) if name.isupper() and isinstance(getattr(apache, name), (int, str)) and name != "MODULE_MAGIC_NUMBER_MINOR"
                   and name not in ("PY2", "AP_DEBUG"))
    return show(req, len(names), *("%s=%r" % (name, getattr(apache, name)) for name in names))


def case_request_names(req):
    names = sorted(name for name in dir(req) if not name.startswith("__"))
    return show(req, len(names), *names)


def case_apache_functions(req):
    return show(req, *sorted(name for name in ("log_error import_module register_cleanup config_tree server_root make_table table mpm_query "
                "exists_config_define stat resolve_object build_cgi_env setup_cgi restore_nocgi module_mtime init CallBack NullIO CGIStdin CGIStdout "
                "SERVER_RETURN interpreter main_server").split() if hasattr(apache, name)))


def case_module_names(req):
    import importlib
    names = {"util": "Field StringField FieldList FieldStorage parse_header apply_fs_data redirect parse_qs parse_qsl",
             "Cookie": "CookieError Cookie SignedCookie MarshalCookie add_cookie get_cookies get_cookie",
             "Session": "BaseSession MemorySession FileSession DbmSession Session COOKIE_NAME DFT_TIMEOUT DFT_LOCK CLEANUP_CHANCE DFT_FAST_CLEANUP "
                        "DFT_VERIFY_CLEANUP DFT_GRACE_PERIOD DFT_CLEANUP_TIME_LIMIT FS_STAT_VERSION",
             "psp": "PSP PSPInterface handler parse parsestring", "publisher": "handler process_auth resolve_object publish_object PageCache page_cache",
             "version": "version HTTPD HTTPD_VERSION APR_VERSION LIBEXECDIR SYSCONFDIR PYTHON_BIN", "httpdconf": "quote_if_space write_basic_config"}
    missing = [(m, n) for m in names for n in names[m].split() if not hasattr(importlib.import_module("mod_python." + m), n)]
    values = [getattr(Session, n) for n in names["Session"].split()[5:]]
    return show(req, missing, [int(v) if isinstance(v, bool) else v for v in values])


def case_session_methods(req):
    return show(req, *sorted(n for n in dir(Session.BaseSession) if not n.startswith(("_", "do_")) and n not in dir(dict)))


def case_import_module(req):
    here = os.path.dirname(__file__)
    return show(req, apache.import_module("neighbour", path=[here]).VALUE, apache.exists_config_define("NOTHING"))


def case_interpreter(req):
    return show(req, req.interpreter == apache.interpreter, req.interpreter)


def case_sys_path(req):
    import sys
    return show(req, os.path.dirname(__file__) in [p.rstrip("/") for p in sys.path])


def case_print(req):
    print("to nowhere")
    return show(req, "printed")


# Several handlers, phases.

def one(req):
    req.write("one ", 0)
    return apache.OK


def two(req):
    req.write("two", 0)
    return apache.OK


def declined(req):
    req.write("declined ", 0)
    return apache.DECLINED


class Klass:
    def __init__(self, req):
        self.req = req

    def method(self, req):
        req.write("method %s" % (self.req is req), 0)
        return apache.OK


def trace(req, name):
    req.phases = getattr(req, "phases", []) + [name]


def postreadrequesthandler(req):
    trace(req, req.phase)
    return apache.OK


def headerparserhandler(req):
    trace(req, req.phase)
    return apache.OK


def accesshandler(req):
    trace(req, req.phase)
    return apache.OK


def authenhandler(req):
    trace(req, req.phase)
    password = req.get_basic_auth_pw()
    if (req.user, password) == ("u", "p\u00e9"):
        return apache.OK
    return apache.HTTP_UNAUTHORIZED


def authzhandler(req):
    trace(req, req.phase)
    return apache.OK


def fixuphandler(req):
    trace(req, req.phase)
    return apache.OK


def phases(req):
    return show(req, req.phases, req.phase, req.user, req.ap_auth_type)


def accessdenied(req):
    return apache.HTTP_FORBIDDEN


def accessdone(req):
    req.write("done in access", 0)
    return apache.DONE


def extension(req):
    return show(req, req.extension)


KEPT = []


def outputfilter(filter):
    data = filter.read()
    while data:
        KEPT.append(data.upper())  # mod_python hands it on without holding it
        filter.write(KEPT[-1])
        data = filter.read()
    if data is None:
        filter.close()
