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
import struct
import sys
import threading

MAX_HEADER = 1024
MAX_MESSAGE = 1024 * 1024
MAX_FRAME = 64 * 1024
FRAME_COST = 64
WINDOW = 256 * 1024


class HostError(Exception):
    """An error that the host answered, or that a handler answers to the host."""

    def __init__(self, code, message, retryable=False, retry_after_ms=None):
        super().__init__(message)
        self.code, self.retryable, self.retry_after_ms = code, retryable, retry_after_ms


class OutStream:
    """A stream to the host, of bytes or of items. Its number goes into the answer or the call that it belongs to."""

    def __init__(self, plugin, number):
        self.plugin, self.number, self.closed = plugin, number, False
        self._seq, self._credit, self._ended, self._ready = 0, WINDOW, False, threading.Condition()

    def write(self, data, item=False):
        """Sends bytes, or one item, which the host gets whole. Waits while the host doesn't read. Raises HostError when it wants no more."""
        rest = memoryview(bytes(data))
        while True:
            with self._ready:
                while not self.closed and self._credit < FRAME_COST + min(len(rest), MAX_FRAME // 4):
                    self._ready.wait()
                if self.closed:
                    raise HostError("CANCELLED", "the host wants no more of this stream")
                part = rest[:min(MAX_FRAME, self._credit - FRAME_COST)]
                rest = rest[len(part):]
                self._frame({"more": True} if item and len(rest) else {}, part)
            if not len(rest):
                return

    def write_item(self, data):
        self.write(data, item=True)

    def end(self, error=None):
        """Says that all is sent, or with an error code that no more comes though it isn't whole."""
        with self._ready:
            if not self._ended and not self.closed:
                self._ended = True
                self._frame({"end": True, **({"error": error} if error else {})}, b"")

    def _frame(self, header, data):
        self._seq += 1
        self._credit -= FRAME_COST + len(data)
        self.plugin._send_frame({"stream": self.number, "seq": self._seq, **header}, data)

    def _heard(self, header):
        with self._ready:
            self._credit = min(self._credit + header.get("credit", 0), WINDOW)
            self.closed = self.closed or header.get("closed", False)
            self._ready.notify_all()


class InStream:
    """A stream from the host. Iterate over it for its bytes, over items() for its items; close() says that you want no more."""

    def __init__(self, plugin, number):
        self.plugin, self.number = plugin, number
        self._frames, self._owed, self._closed = queue.Queue(), 0, False

    def __iter__(self):
        while (frame := self._next()) is not None:
            if frame[1]:
                yield frame[1]

    def items(self):
        whole = []
        while (frame := self._next()) is not None:
            header, data = frame
            whole.append(data)
            if header.get("more"):
                continue
            if not header.get("end") or any(whole):
                yield b"".join(whole)
            whole = []

    def read(self):
        return b"".join(self)

    def close(self):
        if not self._closed:
            self._closed = True
            self.plugin._forget(self)

    def _next(self):
        if self._closed:
            return None
        header, data = self._frames.get()
        if header.get("end"):
            # The frame that ends a stream may carry its last bytes.
            self.close()
            if header.get("error"):
                raise HostError(header["error"], "the host gave the stream up")
            return (header, data) if data else None
        self._owed += FRAME_COST + len(data)
        if self._owed >= WINDOW // 2:
            self.plugin._send_frame({"stream": self.number, "credit": self._owed})
            self._owed = 0
        return header, data


class Plugin:
    def __init__(self, id, version, channels, methods=(), tools=(), endpoints=(), threads=16):
        self.id, self.version, self.channels, self.methods, self.tools = id, version, list(channels), list(methods), list(tools)
        self.endpoints = list(endpoints)
        self._outs, self._ins, self._last_out, self._last_in = {}, {}, 0, 0
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

    def open_stream(self):
        """A stream to the host."""
        with self._lock:
            self._last_out += 1
            stream = self._outs[self._last_out] = OutStream(self, self._last_out)
            return stream

    def stream(self, number):
        """The stream that the host named in a call."""
        with self._lock:
            return self._incoming(number)

    def body_of(self, text=None, body=None, **more):
        """The body of an HTTP request, from the parameters of "http"."""
        return text.encode() if text is not None else self.stream(body).read() if body is not None else b""

    def run(self):
        """Serves the host until it says stop, or is gone."""
        for _ in range(self._threads):
            threading.Thread(target=self._serve, daemon=True).start()
        try:
            while (message := self._read()) is not None:
                if isinstance(message, tuple):
                    self._take_frame(*message)
                elif "method" in message:
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
                for stream in self._ins.values():
                    stream._frames.put(({"end": True, "error": "UNAVAILABLE"}, b""))
                outs = list(self._outs.values())
            for stream in outs:
                stream._heard({"closed": True})

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
        return {"protocol": 1, "plugin": self.id, "version": self.version, "channels": self.channels, "methods": self.methods, "tools": self.tools,
                "endpoints": self.endpoints}

    def _stop(self, reason=None, **more):
        self.stopping.set()

    def _read(self):
        length, size, binary = None, 0, False
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
            elif name.strip().lower() == b"content-type":
                binary = value.strip().lower() == b"application/octet-stream"
        if length is None or length > MAX_MESSAGE:
            return None
        body = self._in.read(length)
        if len(body) != length:
            return None
        if not binary:
            return json.loads(body)
        (header,) = struct.unpack_from(">I", body)
        return json.loads(body[4:4 + header]), body[4 + header:]

    def _take_frame(self, header, data):
        with self._lock:
            if "seq" not in header:
                stream = self._outs.get(header["stream"])
                if header.get("closed"):
                    self._outs.pop(header["stream"], None)
            else:
                stream = self._incoming(header["stream"])
        if stream is None:
            return
        if "seq" not in header:
            stream._heard(header)
        else:
            stream._frames.put((header, data))

    # The first frame of a stream may come before the call that names it.
    def _incoming(self, number):
        while self._last_in < number:
            self._last_in += 1
            self._ins[self._last_in] = InStream(self, self._last_in)
        return self._ins.get(number)

    def _forget(self, stream):
        with self._lock:
            self._ins.pop(stream.number, None)
        self._send_frame({"stream": stream.number, "closed": True})

    def _send_frame(self, header, data=b""):
        head = json.dumps(header).encode()
        self._write(b"Content-Length: %d\r\nContent-Type: application/octet-stream\r\n\r\n" % (4 + len(head) + len(data)), struct.pack(">I", len(head)) + head + data)

    def _send(self, message):
        body = json.dumps(message, ensure_ascii=False).encode()
        self._write(b"Content-Length: %d\r\n\r\n" % len(body), body)

    def _write(self, header, body):
        with self._writing:
            try:
                self._out.write(header + body)
                self._out.flush()
            except (BrokenPipeError, ValueError):
                self.stopping.set()
