"""A local HTTP server that sends parts of files, as publishers' do."""

import contextlib
import http.server
import re
import threading


@contextlib.contextmanager
def serve(content, *, ranges=True, breaks_after=None):
    """Serves `content` at every path; yields the running server.

    Args:
        content: Bytes of the one file.
        ranges: Whether to heed the Range header.
        breaks_after: Bytes after which the first connection breaks off.

    Yields:
        The server, with its `.url` and the Range header, or None, of every
        request in `.requested`.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            wanted = self.headers["Range"]
            self.server.requested.append(wanted)
            body = content
            if ranges and wanted:
                body = content[int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) :]
            self.send_response(206 if body is not content else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if breaks_after is not None and len(self.server.requested) == 1:
                body = body[:breaks_after]
            self.wfile.write(body)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requested = []
        running.url = f"http://127.0.0.1:{running.server_port}/"
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join()
