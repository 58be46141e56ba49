using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Client;
using ChannelBridge.Client.Identity;
using ChannelBridge.Core.Access;
using ChannelBridge.Identity;
using ChannelBridge.Protocol.OpenClaw;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Unit.Wire;

/// <summary>The device identity of <c>connect</c>, over the wire: the table of the gateway's protocol, and keys that nobody should trust.</summary>
public sealed class DeviceVerificationTests : IDisposable
{
    private readonly IdentityKey _key = IdentityKey.Create();

    public void Dispose() => _key.Dispose();

    /// <summary>The point of order 1, as which anybody can sign.</summary>
    private static byte[] SmallOrder => [1, .. new byte[31]];

    [Theory]
    [InlineData(3)]
    [InlineData(2)]
    public async Task GoodDevice_IsIn_ByItsToken(int version)
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await OpenAsync(host);
        var hello = await ConnectAsync(client, version: version);
        Assert.True((bool)hello["ok"]!, hello.ToJsonString());
        Assert.Null(hello["payload"]!["auth"]!["deviceToken"]);
    }

    [Fact]
    public async Task OurClient_IsIn()
    {
        await using var host = await WireHost.StartAsync();
        using var identity = DeviceIdentityFile.Open(Path.Combine(Scratch.NewFolder("wire-device"), "device.json"));
        await using var client = new ChannelBridgeClient(new ChannelBridgeClientOptions
        {
            Endpoint = host.Address.AbsoluteUri,
            Token = WireHost.Token,
            Identity = identity,
            DeviceFamily = "Büro",
            ConnectTimeout = WireHost.Timeout,
        });
        await client.ConnectAsync().WaitAsync(WireHost.Timeout);
        Assert.Equal(["operator.read", "operator.write"], client.Server!.Scopes);
    }

    [Theory]
    [InlineData("another key", "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid")]
    [InlineData("another id", "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch", "device identity mismatch")]
    [InlineData("no key", "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch", "device identity mismatch")]
    [InlineData("301 s early", "DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale", "device signature expired")]
    [InlineData("301 s late", "DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale", "device signature expired")]
    [InlineData("the end of time", "DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale", "device signature expired")]
    [InlineData("63 bytes", "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid")]
    [InlineData("65 bytes", "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid")]
    [InlineData("no base64", "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid")]
    [InlineData("small order", "DEVICE_AUTH_PUBLIC_KEY_INVALID", "device-public-key", "device public key invalid")]
    [InlineData("blank nonce", "DEVICE_AUTH_NONCE_REQUIRED", "device-nonce-missing", "device nonce required")]
    [InlineData("another nonce", "DEVICE_AUTH_NONCE_MISMATCH", "device-nonce-mismatch", "device nonce mismatch")]
    [InlineData("another token", "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid")]
    [InlineData("more scopes", "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid")]
    [InlineData("another platform", "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid")]
    public async Task WrongDevice_IsRefusedByItsCode_AndCounted(string what, string code, string reason, string message)
    {
        var audit = new RecordingAudit();
        await using var host = await WireHost.StartAsync(more: services => services.AddSingleton<IAccessAudit>(audit));
        await using var client = await OpenAsync(host);
        using var other = IdentityKey.Create();
        var answer = await ConnectAsync(client, change: (connect, device) =>
        {
            var signedAt = (long)device["signedAt"]!;
            switch (what)
            {
                case "another key": device["signature"] = DeviceProof.Encode(other.Sign(Proof(connect, device).WritePayload())); break;
                case "another id": device["id"] = DeviceProof.IdOf(other.PublicKey.Span); break;
                case "no key": device["publicKey"] = "/+=!"; break;
                case "301 s early": Resign(connect, device, "signedAt", signedAt - 301_000); break;
                case "301 s late": Resign(connect, device, "signedAt", signedAt + 301_000); break;
                case "the end of time": Resign(connect, device, "signedAt", long.MaxValue); break;
                case "63 bytes": device["signature"] = DeviceProof.Encode(new byte[63]); break;
                case "65 bytes": device["signature"] = DeviceProof.Encode(new byte[65]); break;
                case "no base64": device["signature"] = new string('!', 86); break;
                case "small order":
                    device["publicKey"] = DeviceProof.Encode(SmallOrder);
                    device["id"] = DeviceProof.IdOf(SmallOrder);
                    // R = the key, S = 0: good for every message where such keys are taken.
                    device["signature"] = DeviceProof.Encode([.. SmallOrder, .. new byte[32]]);
                    break;
                case "blank nonce": Resign(connect, device, "nonce", "  "); break;
                case "another nonce": Resign(connect, device, "nonce", Guid.NewGuid().ToString()); break;
                case "another token": connect["auth"]!["token"] = WireHost.ReadToken; break;
                case "more scopes": connect["scopes"]!.AsArray().Add("operator.admin"); break;
                default: connect["client"]!["platform"] = "windows"; break;
            }
        });
        Assert.False((bool)answer["ok"]!);
        Assert.Equal("INVALID_REQUEST", (string?)answer["error"]!["code"]);
        Assert.Equal(message, (string?)answer["error"]!["message"]);
        Assert.Equal(code, (string?)answer["error"]!["details"]!["code"]);
        Assert.Equal(reason, (string?)answer["error"]!["details"]!["reason"]);
        Assert.Equal($"1008 {message}", await client.ReceiveCloseAsync());
        Assert.Equal(message, Assert.Single(audit.Refusals).Reason);
    }

    [Fact]
    public async Task ConnectOfAnotherConnection_SentAgain_IsRefused()
    {
        await using var host = await WireHost.StartAsync();
        JsonObject? heard = null;
        await using (var first = await OpenAsync(host))
        {
            Assert.True((bool)(await ConnectAsync(first, change: (connect, _) => heard = connect.DeepClone().AsObject()))["ok"]!);
        }

        await using var second = await OpenAsync(host);
        await second.ReceiveAsync();
        var frame = WireClient.Connect(null);
        frame["params"] = heard;
        await second.SendAsync(frame.ToJsonString());
        Assert.Equal("DEVICE_AUTH_NONCE_MISMATCH", (string?)(await second.ReceiveAsync())["error"]!["details"]!["code"]);
    }

    [Fact]
    public async Task ManyBadOnes_AreLimited_AndTheOwnerGetsIn()
    {
        await using var host = await WireHost.StartAsync(limits =>
        {
            // By the device's name alone: the address is loopback, which isn't limited.
            limits.AuthFailuresPerMinute = 3;
        });
        for (var i = 0; i < 5; i++)
        {
            await using var bad = await OpenAsync(host);
            var answer = await ConnectAsync(bad, change: (_, device) => device["signature"] = DeviceProof.Encode(new byte[64]));
            Assert.Equal(i < 3 ? "DEVICE_AUTH_SIGNATURE_INVALID" : "AUTH_RATE_LIMITED", (string?)answer["error"]!["details"]!["code"]);
        }

        await using var owner = await OpenAsync(host);
        Assert.True((bool)(await ConnectAsync(owner))["ok"]!);
    }

    [Fact]
    public async Task GoodDevice_WithAWrongToken_IsRefusedForItsToken()
    {
        await using var host = await WireHost.StartAsync();
        await using var client = await OpenAsync(host);
        var answer = await ConnectAsync(client, token: "wrong-0123456789");
        Assert.Equal("AUTH_TOKEN_MISMATCH", (string?)answer["error"]!["details"]!["code"]);
        Assert.False((bool)answer["error"]!["details"]!["canRetryWithDeviceToken"]!);
    }

    private static async Task<WireClient> OpenAsync(WireHost host) => new(await host.OpenAsync("/"));

    private async Task<JsonNode> ConnectAsync(WireClient client, string token = WireHost.Token, int version = 3, Action<JsonObject, JsonObject>? change = null)
    {
        var challenge = (await client.ReceiveAsync())["payload"]!;
        var frame = WireClient.Connect(token, "operator.read", "operator.approvals");
        var connect = frame["params"]!.AsObject();
        connect["client"]!["deviceFamily"] = "Server";
        var device = new JsonObject
        {
            ["id"] = DeviceProof.IdOf(_key.PublicKey.Span),
            ["publicKey"] = DeviceProof.Encode(_key.PublicKey.Span),
            ["signedAt"] = (long)challenge["ts"]!,
            ["nonce"] = (string)challenge["nonce"]!,
        };
        var proof = Proof(connect, device);
        device["signature"] = DeviceProof.Encode(_key.Sign(version == 3 ? proof.WritePayload() : proof.WritePayloadV2()));
        connect["device"] = device;
        change?.Invoke(connect, device);
        await client.SendAsync(frame.ToJsonString());
        return await client.ReceiveAsync();
    }

    private void Resign(JsonObject connect, JsonObject device, string member, JsonNode value)
    {
        device[member] = value;
        device["signature"] = DeviceProof.Encode(_key.Sign(Proof(connect, device).WritePayload()));
    }

    private static DeviceProof Proof(JsonObject connect, JsonObject device) => new()
    {
        DeviceId = (string)device["id"]!,
        ClientId = (string)connect["client"]!["id"]!,
        ClientMode = (string)connect["client"]!["mode"]!,
        Role = (string)connect["role"]!,
        Scopes = [.. connect["scopes"]!.AsArray().Select(scope => (string)scope!)],
        SignedAt = (long)device["signedAt"]!,
        Token = (string?)connect["auth"]!["token"],
        Nonce = (string)device["nonce"]!,
        Platform = (string)connect["client"]!["platform"]!,
        DeviceFamily = (string?)connect["client"]!["deviceFamily"],
    };

    private sealed class RecordingAudit : IAccessAudit
    {
        public System.Collections.Concurrent.ConcurrentQueue<(string? Identity, string Reason)> Refusals { get; } = new();

        public void Refused(Door door, System.Net.IPAddress? address, string? identity, string reason) => Refusals.Enqueue((identity, reason));
    }
}
