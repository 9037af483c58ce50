"""Is the central scheduler there?"""

from __future__ import annotations

import http.client

from pipelines import configuration


def luigid_answers(timeout_seconds: float = 1.0) -> bool:
    host, port = configuration.scheduler_place()
    connection = http.client.HTTPConnection(host, port, timeout=timeout_seconds)
    try:
        connection.request("GET", "/api/task_list?data=%7B%7D")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
