using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Aun.Endpoint;

/// <summary>An identity that registers, logs in and connects, each step on a WebSocket of its own as the SDKs do.</summary>
internal sealed class TestAgent(Uri gateway, string aid)
{
    private Uri _gateway = gateway;

    public ECDsa Key { get; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public string Aid => aid;

    public string Certificate { get; set; } = "";

    public string Token { get; private set; } = "";

    public string Refresh { get; private set; } = "";

    public string PublicKey => Convert.ToBase64String(Key.ExportSubjectPublicKeyInfo());

    /// <summary>The gateway is elsewhere now.</summary>
    public void Move(Uri gateway) => _gateway = gateway;

    public async Task<JsonObject> ShortAsync(string method, JsonObject parameters)
    {
        await using var line = await TestLine.OpenAsync(_gateway);
        return await line.CallAsync(method, parameters);
    }

    public async Task CreateAsync() =>
        Certificate = (string)(await ShortAsync("auth.create_aid", new JsonObject { ["aid"] = aid, ["public_key"] = PublicKey, ["curve"] = "P-256" }))["cert"]!;

    public Task<JsonObject> Login1Async(string? certificate = null) => ShortAsync(
        "auth.aid_login1",
        new JsonObject { ["aid"] = aid, ["cert"] = certificate ?? Certificate, ["client_nonce"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(12)) });

    public JsonObject Login2(JsonObject first, DateTimeOffset? now = null, string? nonce = null)
    {
        nonce ??= (string)first["nonce"]!;
        var time = ((now ?? DateTimeOffset.UtcNow).ToUnixTimeMilliseconds() / 1000d).ToString(CultureInfo.InvariantCulture);
        return new JsonObject
        {
            ["aid"] = aid,
            ["request_id"] = (string)first["request_id"]!,
            ["nonce"] = nonce,
            ["client_time"] = time,
            ["signature"] = Sign($"{nonce}:{time}"),
        };
    }

    public string Sign(string text) =>
        Convert.ToBase64String(Key.SignData(Encoding.UTF8.GetBytes(text), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence));

    public async Task LoginAsync(DateTimeOffset? now = null)
    {
        var second = await ShortAsync("auth.aid_login2", Login2(await Login1Async(), now));
        Token = (string)second["access_token"]!;
        Refresh = (string)second["refresh_token"]!;
    }

    /// <summary>A prekey as it is published; its private half is gone, so what is sealed for it is read by nobody.</summary>
    public JsonObject Prekey()
    {
        using var key = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        var (spki, now) = (Convert.ToBase64String(key.PublicKey.ExportSubjectPublicKeyInfo()), DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
        return new JsonObject { ["prekey_id"] = "pk", ["public_key"] = spki, ["signature"] = Sign($"pk|{spki}|{now}"), ["created_at"] = now };
    }

    /// <summary>What <c>auth.connect</c> says.</summary>
    public JsonObject Hello(TestLine line, string? device = null, string slot = "", JsonNode? mode = null, string? kind = null, int? ttl = null)
    {
        var hello = new JsonObject
        {
            ["nonce"] = line.Nonce,
            ["auth"] = new JsonObject { ["method"] = "kite_token", ["token"] = Token },
            ["protocol"] = new JsonObject { ["min"] = "1.0", ["max"] = "1.0" },
        };
        if (device is not null)
        {
            hello["device"] = new JsonObject { ["id"] = device, ["type"] = "sdk" };
            hello["client"] = new JsonObject { ["slot_id"] = slot };
        }

        if (mode is not null) hello["delivery_mode"] = mode.DeepClone();
        if (kind is not null) hello["options"] = new JsonObject { ["kind"] = kind };
        if (ttl is not null) hello["options"]!["short_ttl_ms"] = ttl;
        return hello;
    }

    public async Task<TestLine> ConnectAsync(string? device = null, string slot = "", JsonNode? mode = null, string? kind = null, int? ttl = null)
    {
        var line = await TestLine.OpenAsync(_gateway);
        var answer = await line.CallAsync("auth.connect", Hello(line, device, slot, mode, kind, ttl));
        Assert.Equal(aid, (string?)answer["identity"]!["aid"]);
        return line;
    }

    /// <summary>A text to somebody.</summary>
    public static JsonObject Text(string to, string text, string? id = null)
    {
        var send = new JsonObject { ["to"] = to, ["payload"] = new JsonObject { ["type"] = "text", ["text"] = text } };
        if (id is not null) send["message_id"] = id;
        return send;
    }
}
