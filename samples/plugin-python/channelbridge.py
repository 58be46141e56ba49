"""A ChannelBridge plugin's end of the pipe, in nothing but Python's standard library. Protocol 1, see docs/plugin-protocol.md.

    plugin = Plugin("my-chat", "1.0.0", channels=["mychat"])

    @plugin.on("push")
    def push(id, message, **more):
        return {"outcome": "flushed", "ack": plugin.ack_of(id, message)}

    plugin.run()

Handlers run on threads of their own, so they may wait, and call the host: plugin.call("accept", message=..., key=..., windowMs=...).
"""
import json
import queue
import sys
import threading

MAX_HEADER = 1024
MAX_MESSAGE = 1024 * 1024


class HostError(Exception):
    """An error that the host answered, or that a handler answers to the host."""

    def __init__(self, code, message, retryable=False, retry_after_ms=None):
        super().__init__(message)
        self.code, self.retryable, self.retry_after_ms = code, retryable, retry_after_ms


class Plugin:
    def __init__(self, id, version, channels, methods=(), tools=(), threads=16):
        self.id, self.version, self.channels, self.methods, self.tools = id, version, list(channels), list(methods), list(tools)
        self.stopping = threading.Event()
        self.data_folder = None
        self._in, self._out = sys.stdin.buffer, sys.stdout.buffer
        # Whatever prints must not disturb the protocol.
        sys.stdout = sys.stderr
        self._handlers = {"initialize": self._initialize, "health": lambda: {"ok": True}, "stop": self._stop,
                          "start": lambda start: {"accounts": {}}, "turnEvents": lambda events: None,
                          "formatTarget": lambda channel, sessionKey, route: sessionKey}
        self._lock, self._writing, self._calls, self._last = threading.Lock(), threading.Lock(), {}, 0
        self._work, self._threads = queue.Queue(), threads

    def on(self, name):
        """Registers a handler of a method that the host calls. Its parameters come by name; take **more for those that you don't need."""
        def register(handler):
            self._handlers[name] = handler
            return handler
        return register

    def call(self, method, **params):
        """Calls the host and waits for the answer."""
        done = queue.Queue(1)
        with self._lock:
            self._last += 1
            id = self._last
            self._calls[id] = done
        self._send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        answer = done.get()
        if answer is None:
            raise HostError("UNAVAILABLE", "the host is gone", True)
        if "error" in answer:
            data = answer["error"].get("data") or {}
            raise HostError(data.get("code", "INTERNAL"), answer["error"].get("message", ""), data.get("retryable", False), data.get("retryAfterMs"))
        return answer.get("result")

    def accept(self, message, key, window_ms=30 * 24 * 3600 * 1000):
        """Gives the host a message. When this returns it is on disk. The same key again is the same message, so repeat it after an error."""
        while True:
            try:
                return self.call("accept", message=message, key=key, windowMs=window_ms)
            except HostError as error:
                if not error.retryable or self.stopping.wait((error.retry_after_ms or 1000) / 1000):
                    raise

    @staticmethod
    def ack_of(id, message, **more):
        """The ack of a push, for its answer."""
        return {"id": id, "channel": message["channel"], "accountId": message["accountId"], "ok": True, **more}

    def run(self):
        """Serves the host until it says stop, or is gone."""
        for _ in range(self._threads):
            threading.Thread(target=self._serve, daemon=True).start()
        try:
            while (message := self._read()) is not None:
                if "method" in message:
                    if "id" in message:
                        self._work.put(message)
                else:
                    with self._lock:
                        waiting = self._calls.pop(message.get("id"), None)
                    if waiting is not None:
                        waiting.put(message)
        finally:
            self.stopping.set()
            with self._lock:
                for waiting in self._calls.values():
                    waiting.put(None)

    def _serve(self):
        while True:
            request = self._work.get()
            answer = {"jsonrpc": "2.0", "id": request["id"]}
            try:
                handler = self._handlers.get(request["method"])
                if handler is None:
                    answer["error"] = {"code": -32601, "message": "there is no such method"}
                else:
                    answer["result"] = handler(**request.get("params", {}))
            except HostError as error:
                answer["error"] = {"code": -32000, "message": str(error), "data": {
                    "code": error.code, "retryable": error.retryable, "retryAfterMs": error.retry_after_ms}}
            except Exception as error:
                print(f"{request['method']}: {error!r}", file=sys.stderr, flush=True)
                answer["error"] = {"code": -32000, "message": "the plugin has a fault; its log has it", "data": {"code": "INTERNAL"}}
            self._send(answer)

    def _initialize(self, hello, **more):
        self.data_folder = hello["dataFolder"]
        return {"protocol": 1, "plugin": self.id, "version": self.version, "channels": self.channels, "methods": self.methods, "tools": self.tools}

    def _stop(self, reason=None, **more):
        self.stopping.set()

    def _read(self):
        length, size = None, 0
        while True:
            line = self._in.readline(MAX_HEADER)
            size += len(line)
            if not line or size > MAX_HEADER:
                return None
            line = line.strip()
            if not line:
                break
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                length = int(value)
        if length is None or length > MAX_MESSAGE:
            return None
        body = self._in.read(length)
        return json.loads(body) if len(body) == length else None

    def _send(self, message):
        body = json.dumps(message, ensure_ascii=False).encode()
        with self._writing:
            try:
                self._out.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
                self._out.flush()
            except (BrokenPipeError, ValueError):
                self.stopping.set()
