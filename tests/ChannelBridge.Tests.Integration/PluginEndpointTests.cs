using System.Net;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;

namespace ChannelBridge.Tests.Integration;

/// <summary>Endpoints of plugins at the doors of the shipped host: in C# by the SDK, and in Python by the protocol alone.</summary>
public sealed class PluginEndpointTests
{
    private const string Web = """
        import os, threading
        from channelbridge import HostError, Plugin
        plugin = Plugin("web", "1.0.0", channels=["web"], endpoints=["POST /web/{what}", "GET /web/secret", "GET /web/endless", "SOCKET /web/live"])

        @plugin.on("start")
        def start(start, **more):
            return {"accounts": {"web": [{"accountId": "Main", "connected": True}]}}

        @plugin.on("push")
        def push(id, message, **more):
            return {"outcome": "flushed", "ack": plugin.ack_of(id, message)}

        @plugin.on("authorize")
        def authorize(request):
            if request["headers"].get("x-secret") == "open sesame":
                return {"name": "ann"}
            return {"status": 403, "message": "say the word", "identity": "ann"}

        @plugin.on("http")
        def http(request, **content):
            if request["endpoint"] == "/web/secret":
                return {"text": request["caller"]["name"], "contentType": "text/plain"}
            if request["endpoint"] == "/web/endless":
                stream = plugin.open_stream()
                stream.write_item(b'{"data":"first","id":"1"}')
                return {"events": stream.number}
            what = request["values"]["what"]
            if what == "die":
                os._exit(3)
            if what == "wrong":
                raise HostError("NOT_FOUND", "there is no such thing")
            if what == "split":
                return {"text": "", "headers": [{"name": "X-A", "value": "a\r\nX-B: b"}]}
            body = plugin.body_of(**content)
            answer = plugin.open_stream()
            def send():
                try:
                    answer.write(body)
                    answer.end()
                except HostError:
                    pass
            threading.Thread(target=send, daemon=True).start()
            return {"status": 201, "contentType": "application/octet-stream", "body": answer.number, "headers": [{"name": "X-Query", "value": request.get("query", "")}]}

        @plugin.on("socket")
        def socket(request, incoming, subprotocol=None, **more):
            stream, answer = plugin.stream(incoming), plugin.open_stream()
            def serve():
                answer.write_item(b"t" + (subprotocol or "").encode())
                for item in stream.items():
                    if item[:1] == b"c" or item == b"tbye":
                        answer.write_item(b"c" + (4001).to_bytes(2, "big") + b"so long")
                        break
                    answer.write_item(item)
                stream.close()
                answer.end()
            threading.Thread(target=serve, daemon=True).start()
            return {"outgoing": answer.number}

        plugin.run()
        """;

    /// <summary>Guards that the very class of samples/channel-csharp answers at its endpoints out of a process of its own.</summary>
    [Fact]
    public async Task CSharpSample_AnswersOverHttpEventsAndASocket()
    {
        await using var host = await HostProcess.StartAsync();
        await InstallAsync(host, BuiltSample());
        using var client = Client(host);
        await RunsAsync(host, "folder-csharp");
        using var reading = new CancellationTokenSource(HostProcess.Timeout);
        using var stream = await client.GetAsync("folder/alice/events", HttpCompletionOption.ResponseHeadersRead, reading.Token);
        Assert.Equal("text/event-stream", stream.Content.Headers.ContentType?.MediaType);
        using var lines = new StreamReader(await stream.Content.ReadAsStreamAsync(reading.Token));
        using var first = await client.PostAsync("folder/alice", new StringContent("hello"));
        Assert.Equal(HttpStatusCode.Accepted, first.StatusCode);
        Assert.Contains("echo: hello", await LineAsync(lines, "data:", reading.Token), StringComparison.Ordinal);

        using var stranger = new HttpClient { BaseAddress = host.Url };
        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.PostAsync("folder/alice", new StringContent("hello"))).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await client.PostAsync("folder/alice", new StringContent(" "))).StatusCode);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await client.PostAsync("folder/alice", new ByteArrayContent(new byte[70_000]))).StatusCode);

        using var socket = await ConnectAsync(host, "folder/bob/socket", null, reading.Token);
        await socket.SendAsync(Encoding.UTF8.GetBytes("hello"), WebSocketMessageType.Text, true, reading.Token);
        Assert.Equal("echo: hello", Encoding.UTF8.GetString((await ReceiveAsync(socket, reading.Token)).Content));
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", reading.Token);
    }

    /// <summary>Guards bodies of any size and kind, a check of the plugin's own, errors with their status, and that an answer can't smuggle a header in.</summary>
    [Fact]
    public async Task PythonPlugin_TakesBytes_ChecksItsCallers_AndAnswersErrors()
    {
        await using var host = await HostProcess.StartAsync();
        await InstallAsync(host, WriteWeb());
        using var client = Client(host);
        await ReadyAsync(() => client.PostAsync("web/echo", new StringContent("up")));
        foreach (var body in new[] { [], "täxt"u8.ToArray(), RandomNumberGenerator.GetBytes(40), RandomNumberGenerator.GetBytes(900_000) })
        {
            using var echoed = await client.PostAsync("web/echo?a=1&b", new ByteArrayContent(body));
            Assert.Equal(HttpStatusCode.Created, echoed.StatusCode);
            Assert.Equal("?a=1&b", echoed.Headers.GetValues("X-Query").Single());
            Assert.Equal(body, await echoed.Content.ReadAsByteArrayAsync());
        }

        Assert.Equal(HttpStatusCode.NotFound, (await client.PostAsync("web/wrong", null)).StatusCode);
        using var split = await client.PostAsync("web/split", null);
        Assert.Equal(HttpStatusCode.InternalServerError, split.StatusCode);
        Assert.False(split.Headers.Contains("X-B"));

        using var stranger = new HttpClient { BaseAddress = host.Url };
        using var refused = await stranger.GetAsync("web/secret");
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        Assert.Contains("say the word", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        stranger.DefaultRequestHeaders.Add("X-Secret", "open sesame");
        Assert.Equal("ann", await stranger.GetStringAsync("web/secret"));
    }

    /// <summary>Guards what stands in the issue about a process that dies: 503 for what is in flight, 1012 for sockets, the end for streams, and then it is there again.</summary>
    [Fact]
    public async Task PluginThatDies_EndsWhatWasOpen_AndComesBack()
    {
        await using var host = await HostProcess.StartAsync();
        await InstallAsync(host, WriteWeb());
        using var client = Client(host);
        await ReadyAsync(() => client.PostAsync("web/echo", new StringContent("up")));
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        using var socket = await ConnectAsync(host, "web/live", "talk.v1", timeout.Token);
        Assert.Equal("talk.v1", Encoding.UTF8.GetString((await ReceiveAsync(socket, timeout.Token)).Content));
        var large = RandomNumberGenerator.GetBytes(300_000);
        await socket.SendAsync(large, WebSocketMessageType.Binary, true, timeout.Token);
        var (echoed, type) = await ReceiveAsync(socket, timeout.Token);
        Assert.Equal(WebSocketMessageType.Binary, type);
        Assert.Equal(large, echoed);
        using var other = await ConnectAsync(host, "web/live", "talk.v1", timeout.Token);
        await ReceiveAsync(other, timeout.Token);
        await other.SendAsync(Encoding.UTF8.GetBytes("bye"), WebSocketMessageType.Text, true, timeout.Token);
        await ReceiveAsync(other, timeout.Token);
        Assert.Equal((WebSocketCloseStatus)4001, other.CloseStatus);
        Assert.Equal("so long", other.CloseStatusDescription);

        using var stream = await client.GetAsync("web/endless", HttpCompletionOption.ResponseHeadersRead, timeout.Token);
        using var lines = new StreamReader(await stream.Content.ReadAsStreamAsync(timeout.Token));
        Assert.Contains("first", await LineAsync(lines, "data:", timeout.Token), StringComparison.Ordinal);

        using var dead = await client.PostAsync("web/die", null, timeout.Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, dead.StatusCode);
        Assert.Contains("\"retryable\":true", await dead.Content.ReadAsStringAsync(timeout.Token), StringComparison.Ordinal);
        await ReceiveAsync(socket, timeout.Token);
        Assert.Equal((WebSocketCloseStatus)1012, socket.CloseStatus);
        while (await lines.ReadLineAsync(timeout.Token) is not null)
        {
            // To its end.
        }

        await ReadyAsync(() => client.PostAsync("web/echo", new StringContent("up")));
    }

    /// <summary>Guards the sample in Node: a chat over a WebSocket whose every message is durable.</summary>
    [Fact]
    public async Task NodeSample_AnswersOnItsSocket()
    {
        await using var host = await HostProcess.StartAsync();
        await InstallAsync(host, Path.Combine(Samples(), "plugin-node"));
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        await RunsAsync(host, "chat-node");
        using var socket = await ConnectAsync(host, "nodechat/ann", null, timeout.Token);
        foreach (var text in new[] { "hello", new string('x', 60_000) })
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, timeout.Token);
            Assert.Equal($"echo: {text}", Encoding.UTF8.GetString((await ReceiveAsync(socket, timeout.Token)).Content));
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", timeout.Token);
    }

    [Fact]
    public async Task PathsOfOthers_AreRefused_UnlessTheOperatorAllowsThem()
    {
        var source = WriteWeb();
        var manifest = Path.Combine(source, "channelbridge.plugin.json");
        await File.WriteAllTextAsync(manifest, (await File.ReadAllTextAsync(manifest)).Replace("\"/web/secret\"", "\"/hooks/secret\"", StringComparison.Ordinal));
        var code = Path.Combine(source, "main.py");
        await File.WriteAllTextAsync(code, (await File.ReadAllTextAsync(code)).Replace("/web/secret", "/hooks/secret", StringComparison.Ordinal));
        await using (var host = await HostProcess.StartAsync())
        {
            var refused = await HostProcess.RunAsync(["plugins", "install", source, "--data", host.Data]);
            Assert.NotEqual(0, refused.ExitCode);
            Assert.Contains("/hooks/secret isn't below /web/", refused.Output + refused.Errors, StringComparison.Ordinal);
        }

        await using (var host = await HostProcess.StartAsync(environment: new Dictionary<string, string> { ["CHANNELBRIDGE__PLUGINS__WEB__PATHS"] = "/hooks" }))
        {
            await InstallAsync(host, source);
            using var client = new HttpClient { BaseAddress = host.Url };
            client.DefaultRequestHeaders.Add("X-Secret", "open sesame");
            await ReadyAsync(() => client.GetAsync("hooks/secret"));
        }
    }

    private static async Task InstallAsync(HostProcess host, string folder)
    {
        var result = await HostProcess.RunAsync(["plugins", "install", folder, "--data", host.Data]);
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
    }

    private static HttpClient Client(HostProcess host)
    {
        var client = new HttpClient { BaseAddress = host.Url, Timeout = HostProcess.Timeout };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", host.Token);
        return client;
    }

    // Until there is a process an endpoint answers 503, as its documentation says.
    private static async Task ReadyAsync(Func<Task<HttpResponseMessage>> ask)
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (true)
        {
            using var answer = await ask();
            if (answer.StatusCode != HttpStatusCode.ServiceUnavailable) return;
            await Task.Delay(20, timeout.Token);
        }
    }

    private static async Task RunsAsync(HostProcess host, string id)
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (true)
        {
            var shown = await HostProcess.RunAsync(["plugins", "list", "--data", host.Data]);
            if (shown.Output.Contains($"{id} 1.0.0: running", StringComparison.Ordinal)) return;
            await Task.Delay(100, timeout.Token);
        }
    }

    private static async Task<string> LineAsync(StreamReader lines, string begin, CancellationToken cancellationToken)
    {
        while (await lines.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.StartsWith(begin, StringComparison.Ordinal)) return line;
        }

        throw new InvalidOperationException($"the stream ended without {begin}");
    }

    private static async Task<ClientWebSocket> ConnectAsync(HostProcess host, string path, string? protocol, CancellationToken cancellationToken)
    {
        var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", $"Bearer {host.Token}");
        if (protocol is not null) socket.Options.AddSubProtocol(protocol);
        await socket.ConnectAsync(new UriBuilder(host.Url) { Scheme = "ws", Path = path }.Uri, cancellationToken);
        return socket;
    }

    private static async Task<(byte[] Content, WebSocketMessageType Type)> ReceiveAsync(ClientWebSocket socket, CancellationToken cancellationToken)
    {
        using var all = new MemoryStream();
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer, cancellationToken);
            await all.WriteAsync(buffer.AsMemory(0, part.Count), cancellationToken);
            if (part.EndOfMessage) return (all.ToArray(), part.MessageType);
        }
    }

    private static string WriteWeb()
    {
        var folder = Scratch.NewFolder("cbweb");
        File.WriteAllText(Path.Combine(folder, "main.py"), Web);
        File.Copy(Path.Combine(Samples(), "plugin-python", "channelbridge.py"), Path.Combine(folder, "channelbridge.py"));
        File.WriteAllText(
            Path.Combine(folder, "channelbridge.plugin.json"),
            """
            {"id":"web","version":"1.0.0","protocol":1,"channels":[{"id":"web"}],"run":{"command":["python3","main.py"]},
             "endpoints":[{"verbs":["POST"],"path":"/web/{what}","access":"operator.write"},{"verbs":["GET"],"path":"/web/secret","access":"plugin"},
                          {"verbs":["GET"],"path":"/web/endless","access":"operator.read"}],
             "sockets":[{"path":"/web/live","access":"operator.write","subprotocols":["talk.v1"]}]}
            """);
        return folder;
    }

    internal static string BuiltSample() => Path.Combine(
        Samples(), "plugin-csharp",
        Path.GetRelativePath(Path.Combine(Samples(), "..", "tests", "ChannelBridge.Tests.Integration"), AppContext.BaseDirectory));

    private static string Samples([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "samples"));
}
