"""A service whose author uses python-eureka-client as its README shows: eureka_client.init(...), then do_service or walk_nodes.

    service.py CONFIG    CONFIG is a JSON object: me, log, port, calls, every, init (what eureka_client.init gets)

What it serves, calls and sees goes to the log as JSON lines. Commands come as JSON lines on the standard input, and are answered
by a line in the log with the same number.
"""

import asyncio
import http.client
import json
import os
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import py_eureka_client.eureka_client as eureka_client

config = json.loads(sys.argv[1])
quiet = threading.Event()
log_file = os.open(config["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def log(event, **fields):
    """One write a line: the file is whole even after kill -9."""
    os.write(log_file, (json.dumps({"event": event, "at": time.time(), **fields}) + "\n").encode())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        log("request", id=query["id"][0], method=self.command)
        self.answer({"instance": config["me"], "id": query["id"][0]})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        query = parse_qs(urlsplit(self.path).query)
        log("request", id=query["id"][0], method=self.command)
        self.answer({"instance": config["me"], "id": query["id"][0], "body": json.loads(body)})

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def by_do_service(service, path):
    return eureka_client.do_service(service, path, return_type="json")


def by_post(service, path):
    return eureka_client.do_service(service, path, return_type="json", method="POST", data={"text": "Grüße, 世界"},
                                    headers={"Content-Type": "application/json"})


def by_client(service, path):
    loop = eureka_client.get_event_loop()  # this thread's
    return loop.run_until_complete(eureka_client.get_client().do_service(service, path, return_type="json"))


def by_walk_nodes(service, path):
    def walk(url):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.loads(answer.read())
        except http.client.HTTPException as e:  # a connection that broke: urllib lets these through as they are
            raise ConnectionError(str(e)) from e

    return eureka_client.walk_nodes(service, path, walker=walk)


ways = {"do_service": by_do_service, "post": by_post, "client": by_client, "walk_nodes": by_walk_nodes}


def call_for_ever(via, way):
    number = 0
    while not quiet.is_set():
        for service in config["calls"]:
            number += 1
            call = {"id": f"{config['me']}/{via}/{number}", "service": service, "via": via, "began": time.time()}
            try:
                answer = way(service, "/work?id=" + call["id"])
                log("call", **call, instance=answer["instance"])
            except Exception as e:  # whatever it is, it counts
                nodes = [f"{n.node_id}: {n.error!r}" for n in getattr(e, "node_errors", [])]
                log("call", **call, error=f"{e!r} {nodes}")
            quiet.wait(config["every"])


def look_for_ever():
    while True:
        applications = eureka_client.get_client().applications
        if applications is not None:
            log("view", view={
                app.name.upper(): {i.instanceId: {"status": i.status, "zone": i.zone, "metadata": i.metadata} for i in app.instances}
                for app in applications.applications
            })
        time.sleep(0.1)


def obey(command):
    client, loop = eureka_client.get_client(), eureka_client.get_event_loop()
    match command["do"]:
        case "call":
            for caller in callers:
                caller.start()
        case "quiet":
            quiet.set()
            for caller in callers:
                caller.join()
        case "status_update":
            loop.run_until_complete(client.status_update(command["value"]))
        case "delete_status_override":
            loop.run_until_complete(client.delete_status_override())
        case "stop":
            eureka_client.stop()


def on_error(kind, error):
    log("error", error=f"{kind}: {error!r}")


server = Server(("127.0.0.1", config["port"]), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
eureka_client.init(instance_host="127.0.0.1", instance_ip="127.0.0.1", instance_port=config["port"], on_error=on_error, **config["init"])

threading.Thread(target=look_for_ever, daemon=True).start()
callers = [threading.Thread(target=call_for_ever, args=each, daemon=True) for each in ways.items()]
log("ready")

for line in sys.stdin:
    command = json.loads(line)
    error = ""
    try:
        obey(command)
    except Exception as e:
        error = repr(e)
    log("did", number=command["number"], error=error)
    if command["do"] == "stop":
        break
# The package's loop would go on and register again: who stops, ends.
sys.stdout.flush()
os._exit(0)
