using System.Diagnostics;
using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Identity;
using ChannelBridge.Protocol.OpenClaw;
using NSec.Cryptography;

namespace ChannelBridge.Bench;

/// <summary>Signatures, and what a device costs at <c>connect</c>.</summary>
internal sealed partial class Suite
{
    private static readonly byte[] Signed = Encoding.UTF8.GetBytes(new string('v', 240));

    /// <summary>Verifications in a second of processor time: beside NSec alone, and beside Node's crypto.</summary>
    private async Task IdentityAsync()
    {
        using var key = IdentityKey.Create();
        var signature = key.Sign(Signed);
        var verifier = key.ToVerifier();
        var algorithm = SignatureAlgorithm.Ed25519;
        var bare = PublicKey.Import(algorithm, key.PublicKey.Span, KeyBlobFormat.RawPublicKey);
        List<double> alone = [], ours = [], node = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"verifications, run {run + 1} of {_runs}");
            var (without, with) = Rates(() => algorithm.Verify(bare, Signed, signature), () => verifier.Verify(Signed, signature));
            alone.Add(without);
            ours.Add(with);
            if (NodeProgram() is { } program) node.Add(await NodeRateAsync(program));
        }

        Add("signatures verified, beside NSec alone", alone, ours, " in a second of processor time");
        if (node.Count > 0) Add("signatures verified, beside Node's crypto", node, ours, " in a second of processor time");
    }

    /// <summary>From the opening of a WebSocket until <c>hello-ok</c>: with a token, and with a device of its own beside it.</summary>
    private async Task DevicesAsync()
    {
        const int Connects = 300;
        await using var subject = await Subject.HostAsync();
        using var key = IdentityKey.Create();
        List<double> tokens = [], devices = [];
        // The first ones pair the device and warm both sides.
        for (var run = -1; run < _runs; run++)
        {
            Progress($"connect, run {run + 1} of {_runs}");
            List<double> without = [], with = [];
            for (var index = 0; index < Connects; index++)
            {
                without.Add(await ConnectAsync(subject, null));
                with.Add(await ConnectAsync(subject, key));
            }

            if (run < 0) continue;
            tokens.Add(Median(without) / 1000);
            devices.Add(Median(with) / 1000);
        }

        Add("connect until hello-ok, p50, with a token beside with a device, too (lower is better)", tokens, devices,
            string.Create(CultureInfo.InvariantCulture, $" ms; {Median(devices) - Median(tokens):+0.00;-0.00} ms"));
    }

    private static async Task<double> ConnectAsync(Subject subject, IdentityKey? key)
    {
        var clock = Stopwatch.StartNew();
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(subject.Url, CancellationToken.None);
        var buffer = new byte[256 * 1024];
        var challenge = JsonNode.Parse(buffer.AsSpan(0, (await socket.ReceiveAsync(buffer, CancellationToken.None)).Count))!["payload"]!;
        var connect = new JsonObject
        {
            ["minProtocol"] = 4,
            ["maxProtocol"] = 4,
            ["client"] = new JsonObject { ["id"] = "cli", ["version"] = "1", ["platform"] = "linux", ["mode"] = "cli" },
            ["role"] = "operator",
            ["scopes"] = new JsonArray("operator.read"),
            ["auth"] = new JsonObject { ["token"] = subject.Token },
        };
        if (key is not null)
        {
            var proof = new DeviceProof
            {
                DeviceId = DeviceProof.IdOf(key.PublicKey.Span),
                ClientId = "cli",
                ClientMode = "cli",
                Role = "operator",
                Scopes = ["operator.read"],
                SignedAt = (long)challenge["ts"]!,
                Token = subject.Token,
                Nonce = (string)challenge["nonce"]!,
                Platform = "linux",
            };
            connect["device"] = new JsonObject
            {
                ["id"] = proof.DeviceId,
                ["publicKey"] = DeviceProof.Encode(key.PublicKey.Span),
                ["signature"] = DeviceProof.Encode(key.Sign(proof.WritePayload())),
                ["signedAt"] = proof.SignedAt,
                ["nonce"] = proof.Nonce,
            };
        }

        var frame = new JsonObject { ["type"] = "req", ["id"] = "1", ["method"] = "connect", ["params"] = connect };
        await socket.SendAsync(Encoding.UTF8.GetBytes(frame.ToJsonString()), WebSocketMessageType.Text, true, CancellationToken.None);
        var length = 0;
        ValueWebSocketReceiveResult part;
        do
        {
            part = await socket.ReceiveAsync(buffer.AsMemory(length), CancellationToken.None);
            length += part.Count;
        }
        while (!part.EndOfMessage);
        if (part.MessageType != WebSocketMessageType.Text) throw new InvalidOperationException("the host refused the connection");
        var elapsed = clock.Elapsed.TotalMicroseconds;
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        return elapsed;
    }

    /// <summary>How often each is done in a second of processor time: in short turns, so that what else the machine does meets both alike.</summary>
    private (double First, double Second) Rates(Func<bool> first, Func<bool> second)
    {
        var all = Stopwatch.StartNew();
        var (warm, one, two) = (TimeSpan.FromSeconds(1), new Turns(first), new Turns(second));
        for (var index = 0; all.Elapsed < warm + (2 * _duration); index++)
        {
            if (all.Elapsed < warm) (one, two) = (new Turns(first), new Turns(second));
            // Who comes first changes, too.
            if (index % 2 == 0) one.Take();
            two.Take();
            if (index % 2 != 0) one.Take();
        }

        return (one.Rate, two.Rate);
    }

    private sealed class Turns(Func<bool> verify)
    {
        private TimeSpan _spent;
        private long _count;

        public double Rate => _count / _spent.TotalSeconds;

        public void Take()
        {
            var before = Environment.CpuUsage.TotalTime;
            for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromMilliseconds(100); _count += 100)
            {
                for (var index = 0; index < 100; index++)
                {
                    if (!verify()) throw new InvalidOperationException("a good signature was refused");
                }
            }

            _spent += Environment.CpuUsage.TotalTime - before;
        }
    }

    // The Node that the gateway brings, else the one that is installed.
    private static string? NodeProgram()
    {
        var own = Environment.GetEnvironmentVariable("CHANNELBRIDGE_OPENCLAW") is { Length: > 0 } folder ? Path.Combine(folder, "node_modules", "node", "bin", "node") : null;
        if (File.Exists(own)) return own;
        return Environment.GetEnvironmentVariable("PATH")?.Split(Path.PathSeparator).Select(path => Path.Combine(path, "node")).FirstOrDefault(File.Exists);
    }

    private async Task<double> NodeRateAsync(string program)
    {
        const string Script = """
            const { generateKeyPairSync, sign, verify } = require("node:crypto");
            const { privateKey, publicKey } = generateKeyPairSync("ed25519");
            const data = Buffer.alloc(240, "v"), signature = sign(null, data, privateKey), milliseconds = Number(process.argv[1]);
            const run = (span) => {
              let count = 0;
              for (const end = performance.now() + span; performance.now() < end; count += 100) for (let i = 0; i < 100; i++) verify(null, data, publicKey, signature);
              return count;
            };
            run(500);
            const start = process.cpuUsage(), count = run(milliseconds), used = process.cpuUsage(start);
            console.log(count / (used.user + used.system) * 1e6);
            """;
        var start = new ProcessStartInfo(program, ["-e", Script, _duration.TotalMilliseconds.ToString(CultureInfo.InvariantCulture)]) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return double.Parse(output, CultureInfo.InvariantCulture);
    }
}
