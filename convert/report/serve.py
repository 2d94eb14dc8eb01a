"""Serve the page on this machine, because a browser may give a microphone to localhost alone."""

import http.server
from collections.abc import Callable
from pathlib import Path


def serve(file: Path, tell: Callable[[str], None]) -> None:
    """Serve one file on the loopback interface until Ctrl-C.

    Parameters
    ----------
    file : Path
        The page.
    tell : callable
        Is told the address, when the server answers there.
    """
    page = file.read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_words: object) -> None:
            """Print nothing for a request."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        tell(f"http://localhost:{server.server_port}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
