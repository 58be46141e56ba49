using System.Buffers.Text;
using System.Diagnostics;
using System.Globalization;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Bench;

/// <summary>A WebSocket to an AUN gateway, from its challenge on. It does as little as it can.</summary>
internal sealed class AunSocket : IAsyncDisposable
{
    private readonly ClientWebSocket _socket = new();
    private byte[] _receive = new byte[2048];

    private AunSocket() => _socket.Options.KeepAliveInterval = TimeSpan.Zero;

    /// <summary>The challenge's nonce.</summary>
    public string Nonce { get; private set; } = "";

    public static async Task<AunSocket> OpenAsync(Uri gateway)
    {
        var socket = new AunSocket();
        await socket._socket.ConnectAsync(gateway, CancellationToken.None);
        using var challenge = JsonDocument.Parse(await socket.ReceiveAsync());
        socket.Nonce = challenge.RootElement.GetProperty("params").GetProperty("nonce").GetString()!;
        return socket;
    }

    /// <summary>The next frame; good until the one after it is asked for.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ReceiveAsync()
    {
        var length = 0;
        while (true)
        {
            if (length == _receive.Length) Array.Resize(ref _receive, 2 * length);
            var part = await _socket.ReceiveAsync(_receive.AsMemory(length), CancellationToken.None);
            if (part.MessageType == WebSocketMessageType.Close) throw new WebSocketException($"closed: {_socket.CloseStatusDescription}");
            length += part.Count;
            if (part.EndOfMessage) return _receive.AsMemory(0, length);
        }
    }

    public Task SendAsync(string text) => _socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);

    /// <summary>Calls, and gives the result; nothing else may be under way.</summary>
    public async Task<JsonElement> CallAsync(string method, string parameters)
    {
        await SendAsync($$"""{"jsonrpc":"2.0","id":"call","method":"{{method}}","params":{{parameters}}}""");
        while (true)
        {
            var frame = JsonElement.Parse((await ReceiveAsync()).Span);
            if (!frame.TryGetProperty("id", out _)) continue;
            return frame.TryGetProperty("result", out var result) ? result : throw new InvalidOperationException($"{method}: {frame.GetRawText()}");
        }
    }

    /// <summary>Ends without a word.</summary>
    public void Abort() => _socket.Abort();

    public async ValueTask DisposeAsync()
    {
        if (_socket.State == WebSocketState.Open) await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        _socket.Dispose();
    }
}

/// <summary>An AID with its key, which registers, logs in and connects as the SDKs do: each step on a WebSocket of its own.</summary>
internal sealed class AunIdentity(Uri gateway, string aid) : IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly Agreements _agreements = new();
    private ECDiffieHellman? _prekey;
    private IdentityKeys? _keys;
    private PeerIdentity? _peer;
    private DevicePrekey? _peerPrekey;
    private ECDiffieHellman? _peerKey;
    private string _certificate = "";
    private string _token = "";

    public string Aid => aid;

    /// <summary>The device under which it connects.</summary>
    public string Device { get; } = "dev-" + Guid.NewGuid().ToString("N")[..12];

    public async Task RegisterAsync()
    {
        var spki = Convert.ToBase64String(_key.ExportSubjectPublicKeyInfo());
        var made = await ShortAsync("auth.create_aid", $$"""{"aid":"{{aid}}","public_key":"{{spki}}","curve":"P-256"}""");
        _certificate = JsonEncodedText.Encode(made.GetProperty("cert").GetString()!, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString();
    }

    /// <summary>Both steps, with the certificate as the SDKs send it. The gateway's signature isn't looked at: what is measured is the gateway.</summary>
    public async Task LoginAsync()
    {
        var nonceOfOwn = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(12));
        var first = await ShortAsync("auth.aid_login1", $$"""{"aid":"{{aid}}","cert":"{{_certificate}}","client_nonce":"{{nonceOfOwn}}"}""");
        var (nonce, at) = (first.GetProperty("nonce").GetString()!, (DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000d).ToString(CultureInfo.InvariantCulture));
        var signature = Sign($"{nonce}:{at}");
        var second = await ShortAsync(
            "auth.aid_login2",
            $$"""{"aid":"{{aid}}","request_id":"{{first.GetProperty("request_id").GetString()}}","nonce":"{{nonce}}","client_time":"{{at}}","signature":"{{signature}}"}""");
        _token = second.GetProperty("access_token").GetString()!;
    }

    /// <summary>Connects for long, with its device.</summary>
    public async Task<AunSocket> ConnectAsync(Uri? elsewhere = null)
    {
        var socket = await AunSocket.OpenAsync(elsewhere ?? gateway);
        await socket.CallAsync(
            "auth.connect",
            $$$"""{"nonce":"{{{socket.Nonce}}}","auth":{"method":"kite_token","token":"{{{_token}}}"},"protocol":{"min":"1.0","max":"1.0"},"device":{"id":"{{{Device}}}","type":"sdk"}}""");
        return socket;
    }

    /// <summary>Publishes a prekey, and learns the other one's key and prekey: from then on it can seal for that one, and open.</summary>
    public async Task PrepareAsync(AunSocket socket, string other, string certificate)
    {
        _keys = new IdentityKeys(aid, _key);
        _prekey = P256.NewPair();
        var (spki, at) = (Convert.ToBase64String(_prekey.PublicKey.ExportSubjectPublicKeyInfo()), DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
        await socket.CallAsync(
            "message.e2ee.put_prekey", $$"""{"prekey_id":"prekey","public_key":"{{spki}}","signature":"{{Sign($"prekey|{spki}|{at}")}}","created_at":{{at}}}""");
        var found = (await socket.CallAsync("message.e2ee.get_prekey", $$"""{"aid":"{{other}}"}""")).GetProperty("device_prekeys")[0];
        using var read = X509Certificate2.CreateFromPem(certificate);
        _peer = new PeerIdentity(other, read);
        _peerPrekey = new DevicePrekey
        {
            Id = found.GetProperty("prekey_id").GetString()!,
            PublicKey = found.GetProperty("public_key").GetString()!,
            Signature = found.GetProperty("signature").GetString()!,
            DeviceId = found.GetProperty("device_id").GetString()!,
        };
        _peerKey = P256.ReadSpki(Convert.FromBase64String(_peerPrekey.PublicKey));
    }

    /// <summary>A sealed text as <c>message.send</c> takes it.</summary>
    public string Seal(string messageId, string text)
    {
        var payload = Encoding.UTF8.GetBytes($$"""{"type":"text","text":"{{text}}"}""");
        var envelope = EnvelopeCipher.Seal(
            _keys!, _peer!, _peerPrekey, _peerKey, _peer!.Aid, messageId, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), payload, _agreements);
        using var written = new MemoryStream();
        using (var writer = Envelope.NewWriter(written)) envelope.Write(writer);
        return $$"""{"to":"{{_peer.Aid}}","type":"{{Envelope.SealedType}}","encrypted":true,"message_id":"{{messageId}}","payload":{{Encoding.UTF8.GetString(written.ToArray())}}}""";
    }

    /// <summary>Checks and opens what came; gives how long the text is.</summary>
    public int Open(ReadOnlyMemory<byte> frame)
    {
        using var document = JsonDocument.Parse(frame);
        var envelope = Envelope.Read(document.RootElement.GetProperty("params").GetProperty("payload"));
        EnvelopeCipher.Verify(envelope, _peer!);
        return EnvelopeCipher.Open(envelope, _keys!, _prekey, _peer!, _agreements).Length;
    }

    public void Dispose()
    {
        _key.Dispose();
        _keys?.Dispose();
        _prekey?.Dispose();
        _peerKey?.Dispose();
    }

    private string Sign(string text) => Convert.ToBase64String(_key.SignData(Encoding.UTF8.GetBytes(text), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence));

    private async Task<JsonElement> ShortAsync(string method, string parameters)
    {
        await using var socket = await AunSocket.OpenAsync(gateway);
        return await socket.CallAsync(method, parameters);
    }
}

/// <summary>One AID writes, another one hears: a number of messages on their way at a time.</summary>
internal sealed class AunPair(AunSocket sender, AunSocket receiver, string to, string text)
{
    private readonly long[] _sentAt = new long[4096];
    private long _next;
    private Task? _answers;

    /// <summary>Sends for a time with this many on their way; gives how many were heard, and their latencies in microseconds.</summary>
    /// <param name="inFlight">On their way at a time.</param>
    /// <param name="duration">How long new ones are sent.</param>
    /// <param name="acks">Whether the receiver acks each.</param>
    public async Task<(long Count, List<double> Latencies)> LoadAsync(int inFlight, TimeSpan duration, bool acks)
    {
        var latencies = new List<double>(1 << 20);
        var clock = Stopwatch.StartNew();
        var (first, open) = (_next, 0);
        _answers ??= AnswersAsync();
        for (; open < inFlight; open++) await NextAsync();
        while (open > 0)
        {
            var frame = await receiver.ReceiveAsync();
            if (frame.Span.IndexOf("event/message.received"u8) < 0) continue;
            latencies.Add(Stopwatch.GetElapsedTime(_sentAt[Number(frame.Span, "\"message_id\":\"m"u8) % _sentAt.Length]).TotalMicroseconds);
            if (acks) await receiver.SendAsync($$$"""{"jsonrpc":"2.0","id":"ack","method":"message.ack","params":{"seq":{{{Number(frame.Span, "\"seq\":"u8)}}}}}""");
            open--;
            if (clock.Elapsed >= duration) continue;
            open++;
            await NextAsync();
        }

        return (_next - first, latencies);
    }

    // The sender's answers are read as they come. After one that is an error its event never comes, so the receiver's waiting ends, too.
    private async Task AnswersAsync()
    {
        ReadOnlyMemory<byte> answer;
        do answer = await sender.ReceiveAsync();
        while (answer.Span.IndexOf("\"error\""u8) < 0);
        Console.Error.WriteLine(Encoding.UTF8.GetString(answer.Span));
        await receiver.DisposeAsync();
    }

    /// <summary>Sends so many that nobody hears yet.</summary>
    public async Task FillAsync(int count, int inFlight)
    {
        for (var (sent, answered) = (0, 0); answered < count; answered++)
        {
            for (; sent < count && sent - answered < inFlight; sent++) await NextAsync();
            var answer = await sender.ReceiveAsync();
            if (answer.Span.IndexOf("\"error\""u8) >= 0) throw new InvalidOperationException(Encoding.UTF8.GetString(answer.Span));
        }
    }

    /// <summary>The number behind a name in a frame.</summary>
    public static long Number(ReadOnlySpan<byte> frame, ReadOnlySpan<byte> name)
    {
        var start = frame.IndexOf(name);
        return start >= 0 && Utf8Parser.TryParse(frame[(start + name.Length)..], out long number, out _)
            ? number
            : throw new InvalidOperationException(Encoding.UTF8.GetString(frame));
    }

    private Task NextAsync()
    {
        var number = _next++;
        _sentAt[number % _sentAt.Length] = Stopwatch.GetTimestamp();
        return sender.SendAsync(
            $$$$"""{"jsonrpc":"2.0","id":"r{{{{number}}}}","method":"message.send","params":{"to":"{{{{to}}}}","message_id":"m{{{{number}}}}","payload":{"type":"text","text":"{{{{text}}}}"}}}""");
    }
}
