using System.Text.Json.Nodes;
using ChannelBridge.Plugins.Manifest;

namespace ChannelBridge.Tests.Plugins;

/// <summary>Files and runs of agents, which go by streams, from a process in another language and in a whole host.</summary>
public sealed class PluginStreamingTests
{
    private const string Prelude = """
        import hashlib, json, os, threading, time
        from channelbridge import HostError, Plugin
        plugin = Plugin("streamer", "1.0.0", channels=["streamer"])
        mine = dict(channel="streamer", accountId="Main")

        def attempt(method, **params):
            try:
                return plugin.call(method, **params)
            except HostError as error:
                return error.code

        def tell(answers):
            with open(os.path.join(plugin.data_folder, "answers.part"), "w") as file:
                json.dump(answers, file)
            os.rename(file.name, os.path.join(plugin.data_folder, "answers"))

        @plugin.on("start")
        def start(start, **more):
            threading.Thread(target=begin, daemon=True).start()
            return {"accounts": {"streamer": [{"accountId": "Main"}]}}

        def begin():
            while not os.path.exists(os.path.join(plugin.data_folder, "go")):
                time.sleep(0.02)
            work()

        """;

    /// <summary>Guards files both ways: what a plugin puts is on disk, is pushed with a message, is read back whole, and nobody else's is told.</summary>
    [Fact]
    public async Task Files_ArePut_Pushed_AndReadBack_AndOthersAreNot()
    {
        var answers = await RunAsync("""
            content = os.urandom(700_000)
            pushed = threading.Event()
            seen = {}

            @plugin.on("push")
            def push(id, message, **more):
                file = plugin.call("files.get", file=message["attachment"]["file"], **mine)
                seen["read"] = hashlib.sha256(plugin.stream(file["stream"]).read()).hexdigest()
                seen["size"] = file["size"]
                pushed.set()
                return {"outcome": "flushed", "ack": plugin.ack_of(id, message)}

            def put(data, end):
                stream = plugin.open_stream()
                def send():
                    try:
                        stream.write(data)
                        stream.end(end)
                    except HostError:
                        pass
                threading.Thread(target=send, daemon=True).start()
                return attempt("files.put", stream=stream.number, fileName="noise.bin", mimeType="application/octet-stream", **mine)

            def work():
                plugin.call("attach", **mine)
                taken = put(content, None)
                given = {"file": taken["file"], "mimeType": "application/octet-stream"}
                message = {**mine, "sessionKey": "streamer:ann", "route": "ann", "text": "look"}
                plugin.call("send", message={**message, "attachment": given}, key="one")
                accepted = attempt("accept", message={**message, "senderId": "ann", "attachments": [given]}, key="two", windowMs=60000)
                pushed.wait(60)
                tell({
                    "put": taken["sha256"] == hashlib.sha256(content).hexdigest() and taken["size"] == len(content),
                    "read": seen["read"] == taken["sha256"], "size": seen["size"], "accepted": accepted["duplicate"],
                    "brokenOff": put(content[:100_000], "CANCELLED"),
                    "unknown": attempt("files.get", file="0" * 64, **mine),
                    "path": attempt("files.get", file="../../messages.db", **mine),
                    "other": attempt("files.get", file=taken["file"], channel="streamer", accountId="Other"),
                    "named": attempt("accept", message={**message, "senderId": "ann", "attachments": [{"file": "f" * 64}]}, key="three", windowMs=60000),
                    "noStream": attempt("files.put", stream=1, **mine),
                })
            """);
        Assert.True(answers["put"]!.GetValue<bool>());
        Assert.True(answers["read"]!.GetValue<bool>());
        Assert.Equal(700_000, answers["size"]!.GetValue<int>());
        Assert.False(answers["accepted"]!.GetValue<bool>());
        // Given up while the host read it, or before it began.
        Assert.Contains(answers["brokenOff"]!.GetValue<string>(), (string[])["CANCELLED", "NOT_FOUND"]);
        Assert.Equal("NOT_FOUND", answers["unknown"]!.GetValue<string>());
        Assert.Equal("NOT_FOUND", answers["path"]!.GetValue<string>());
        Assert.Equal("FORBIDDEN", answers["other"]!.GetValue<string>());
        Assert.Equal("NOT_FOUND", answers["named"]!.GetValue<string>());
        Assert.Equal("NOT_FOUND", answers["noStream"]!.GetValue<string>());
    }

    /// <summary>Guards runs: a legal stream up to its one end, read again from any place, once per id, the account's own, by its own agent.</summary>
    [Fact]
    public async Task Runs_StreamTheirEvents_AndAreTheAccountsOwn()
    {
        var answers = await RunAsync("""
            @plugin.on("push")
            def push(id, message, **more):
                return {"outcome": "flushed", "ack": plugin.ack_of(id, message)}

            def events(run):
                return [json.loads(item) for item in plugin.stream(run["stream"]).items()]

            def work():
                ask = {**mine, "request": {"input": "hello there", "stream": True}}
                run = plugin.call("runs.start", run={**ask, "id": "resp_0123456789abcdef0123456789abcdef"})
                first = events(run)
                again = events(plugin.call("runs.start", run={**ask, "id": run["id"]}))
                rest = events(plugin.call("runs.read", id=run["id"], after=2, **mine))
                tell({
                    "id": run["id"], "types": [event["type"] for event in first], "same": again == first, "rest": rest == first[3:],
                    "text": json.dumps(first[-1]["response"]["output"]),
                    "cancel": attempt("runs.cancel", id=run["id"], **mine),
                    "unknown": attempt("runs.read", id="resp_other", after=-1, **mine),
                    "agent": attempt("runs.start", run={**ask, "agent": "openclaw"}),
                    "wrong": attempt("runs.start", run={**mine, "request": {"input": 7}}),
                    "other": attempt("runs.start", run={**ask, "channel": "bncr"}),
                })
            """);
        Assert.Equal("resp_0123456789abcdef0123456789abcdef", answers["id"]!.GetValue<string>());
        var types = answers["types"]!.AsArray().Select(type => type!.GetValue<string>()).ToList();
        Assert.Equal("response.created", types[0]);
        Assert.Equal("response.completed", types[^1]);
        Assert.Single(types, "response.completed");
        Assert.True(answers["same"]!.GetValue<bool>());
        Assert.True(answers["rest"]!.GetValue<bool>());
        Assert.Contains("echo: hello there", answers["text"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Null(answers["cancel"]);
        Assert.Equal("NOT_FOUND", answers["unknown"]!.GetValue<string>());
        Assert.Equal("FORBIDDEN", answers["agent"]!.GetValue<string>());
        Assert.Equal("INVALID_REQUEST", answers["wrong"]!.GetValue<string>());
        Assert.Equal("FORBIDDEN", answers["other"]!.GetValue<string>());
    }

    private static async Task<JsonNode> RunAsync(string script)
    {
        var source = Scratch.NewFolder("source");
        await File.WriteAllTextAsync(Path.Combine(source, "main.py"), $"{Prelude}\n{script}\n\nplugin.run()\n");
        File.Copy(Path.Combine(PythonPlugin.Samples(), "plugin-python", "channelbridge.py"), Path.Combine(source, "channelbridge.py"));
        await File.WriteAllTextAsync(
            Path.Combine(source, PluginManifest.FileName),
            """{"id":"streamer","version":"1.0.0","protocol":1,"channels":[{"id":"streamer"}],"run":{"command":["python3","main.py"]}}""");
        await using var host = await HostedPlugins.StartAsync();
        await host.CallAsync("plugins.install", new JsonObject { ["source"] = source });
        await host.RunsAsync("streamer");
        var data = Path.Combine(host.Folder, "plugin-data", "streamer");
        await File.WriteAllTextAsync(Path.Combine(data, "go"), "");
        await Wait.UntilAsync(
            () => File.Exists(Path.Combine(data, "answers")),
            $"the answers; its log: {string.Join('\n', host.Room.Units.Single().Lines.Last(20).Select(line => line.Text))}");
        return JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(data, "answers")))!;
    }
}
