using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.Aun.Sealing;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Aun.Connector;

/// <summary>Sealed messages through a gateway that only relays them, in both directions.</summary>
public sealed class SealedTests
{
    private const string Alice = "alice.example.org";

    [Fact]
    public async Task ASealedMessage_ReachesTheAgentAsText_AndTheAnswerGoesSealed()
    {
        await using var lab = await ConnectorLab.StartAsync();
        await lab.ConnectedAsync();
        using var alice = new Peer(lab.Gateway, Alice);
        await alice.PublishAsync();
        await lab.Gateway.AddAsync(ConnectorLab.Aid, await alice.SealAsync("m-1", "Hello"), id: "m-1");
        await lab.UntilAsync(status => (long)status["accepted"]! == 1);
        Assert.Equal("Hello", lab.Inbox.Texts.Single());
        Assert.Equal($"aun:{ConnectorLab.Aid}:{Alice}", lab.Inbox.Accepted.Single().SessionKey);

        var sent = await lab.CallAsync("aun.send", new JsonObject { ["to"] = Alice, ["text"] = "secret words" });
        Assert.True((bool)sent["encrypted"]!);
        var call = lab.Gateway.Calls.Single(one => one.Method == "message.send").Params;
        Assert.Equal("e2ee.encrypted", (string)call["type"]!);
        Assert.True((bool)call["encrypted"]!);
        Assert.DoesNotContain("secret words", call.ToJsonString(), StringComparison.Ordinal);
        var opened = await alice.OpenAsync((string)call["message_id"]!, call["payload"]!);
        Assert.Equal("""{"type":"text","text":"secret words"}""", opened);
        Assert.True(lab.Outbox.Acks.Values.Single().Ok);
    }

    [Fact]
    public async Task ASealedMessage_ThatWasChanged_OrReplayed_OrForAnotherDevice_ReachesNobody_AndHasAReceipt()
    {
        await using var lab = await ConnectorLab.StartAsync();
        await lab.ConnectedAsync();
        using var alice = new Peer(lab.Gateway, Alice);
        await alice.PublishAsync();
        var sound = await alice.SealAsync("m-1", "Hello");
        await lab.Gateway.AddAsync(ConnectorLab.Aid, sound, id: "m-1");
        var changed = (await alice.SealAsync("m-2", "Hello")).DeepClone();
        var text = (string)changed["ciphertext"]!;
        changed["ciphertext"] = (text[0] == 'A' ? 'B' : 'A') + text[1..];
        await lab.Gateway.AddAsync(ConnectorLab.Aid, changed, id: "m-2");
        await lab.Gateway.AddAsync(ConnectorLab.Aid, sound, id: "m-1");
        await lab.Gateway.AddAsync(ConnectorLab.Aid, sound, id: "m-3");
        await lab.Gateway.AddAsync(ConnectorLab.Aid, sound, from: "mallory.example.org", id: "m-1");
        var unsigned = (await alice.SealAsync("m-4", "Hello")).DeepClone().AsObject();
        unsigned.Remove("sender_signature");
        await lab.Gateway.AddAsync(ConnectorLab.Aid, unsigned, id: "m-4");

        await lab.UntilAsync(status => (long)status["seq"]! == 6);
        var status = await lab.StatusAsync();
        Assert.Equal(["Hello"], lab.Inbox.Texts);
        Assert.Equal(5, (long)status["refused"]!);
        Assert.Equal(5, status["receipts"]!.AsArray().Count);
        var refused = status["sealing"]!["refused"]!;
        Assert.Equal(2, (long)refused["aad_mismatch"]!);
        Assert.Equal(1, (long)refused["replayed"]!);
        Assert.Equal(2, (long)refused["signature_wrong"]!);
        Assert.Contains(status["receipts"]!.AsArray(), receipt => ((string)receipt!["reason"]!).StartsWith("sealing: replayed", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ARevokedSender_IsRefused_ButNotByAListThatItsIssuerHasntSigned(bool isSound)
    {
        using var other = new FakePki();
        await using var lab = await ConnectorLab.StartAsync();
        await lab.ConnectedAsync();
        using var alice = new Peer(lab.Gateway, Alice);
        await alice.PublishAsync();
        lab.Gateway.CrlPem = (isSound ? lab.Gateway.Pki : other).Revoke(lab.Gateway.Certificates[Alice]);
        await lab.Gateway.AddAsync(ConnectorLab.Aid, await alice.SealAsync("m-1", "Hello"), id: "m-1");

        await lab.UntilAsync(status => (long)status["seq"]! == 1);
        Assert.Equal(isSound ? [] : ["Hello"], lab.Inbox.Texts);
        Assert.Equal(isSound ? 1 : 0, (long?)(await lab.StatusAsync())["sealing"]!["refused"]!["certificate_unknown"] ?? 0);
    }

    [Fact]
    public async Task APrekeyThatCouldntBePublished_IsPublishedOnTheSameConnection()
    {
        var tried = 0;
        await using var lab = await ConnectorLab.StartAsync(
            static (options, _) => options.Connector.Upkeep = TimeSpan.FromMilliseconds(20),
            gateway => gateway.Answer = (method, _) => method == "message.e2ee.put_prekey" && Interlocked.Increment(ref tried) == 1
                ? throw new GatewayError(5000, "not now")
                : null);

        await Wait.UntilAsync(() => lab.Gateway.Prekeys.ContainsKey(ConnectorLab.Aid));
        Assert.Equal((2, 1), (tried, lab.Gateway.Methods.Count(static method => method == "auth.connect")));
    }

    [Fact]
    public async Task WithoutAPrekey_NothingIsSent_AndNeverAsPlainText()
    {
        await using var lab = await ConnectorLab.StartAsync();
        await lab.ConnectedAsync();
        using var alice = new Peer(lab.Gateway, Alice);
        await lab.CallAsync("aun.send", new JsonObject { ["to"] = Alice, ["text"] = "secret words" });

        var ack = lab.Outbox.Acks.Values.Single();
        Assert.False(ack.Ok);
        Assert.False(ack.Fatal);
        Assert.Contains("no registered device prekeys", ack.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("message.send", lab.Gateway.Methods);
    }

    [Fact]
    public async Task AnAccountThatSaysSo_SendsPlainText()
    {
        await using var lab = await ConnectorLab.StartAsync((_, account) => account.Encrypt = false);
        await lab.ConnectedAsync();
        await lab.CallAsync("aun.send", new JsonObject { ["to"] = Alice, ["payload"] = new JsonObject { ["type"] = "image", ["url"] = "x" } });

        var call = lab.Gateway.Calls.Single(one => one.Method == "message.send").Params;
        Assert.Equal("""{"type":"image","url":"x"}""", call["payload"]!.ToJsonString());
        Assert.Null(call["encrypted"]);
    }

    [Theory]
    [InlineData(-32603, "unknown AID", true)]
    [InlineData(-32603, "try again", false)]
    [InlineData(4290, "slow down", false)]
    [InlineData(4040, "no such AID", true)]
    public async Task ARefusal_IsFinalOnlyWhereItNeverChanges(int code, string words, bool fatal)
    {
        await using var lab = await ConnectorLab.StartAsync((_, account) => account.Encrypt = false);
        await lab.ConnectedAsync();
        lab.Gateway.Answer = (method, _) => method == "message.send" ? throw new GatewayError(code, words) : null;
        await lab.CallAsync("aun.send", new JsonObject { ["to"] = Alice, ["text"] = "Hello" });

        var ack = lab.Outbox.Acks.Values.Single();
        Assert.False(ack.Ok);
        Assert.Equal(fatal, ack.Fatal);
    }

    [Fact]
    public async Task WhatIsSealedInAnotherWay_IsAnsweredOnceWithWordsThatSaySo()
    {
        await using var lab = await ConnectorLab.StartAsync((_, account) => account.Encrypt = false);
        await lab.ConnectedAsync();
        await lab.Gateway.AddAsync(ConnectorLab.Aid, new JsonObject { ["type"] = "e2ee.group_encrypted", ["version"] = "1" });

        await lab.UntilAsync(status => (long)status["refused"]! == 1);
        Assert.Empty(lab.Inbox.Accepted);
        Assert.Contains("e2ee.group_encrypted", lab.Outbox.Sent.Single().Text, StringComparison.Ordinal);
        Assert.Equal(Alice, lab.Outbox.Sent.Single().Route);
    }

    [Fact]
    public async Task AnOldMessage_ThatIsPushedLate_IsPulled()
    {
        await using var lab = await ConnectorLab.StartAsync();
        await lab.ConnectedAsync();
        using var alice = new Peer(lab.Gateway, Alice, new MovedTime { By = TimeSpan.FromMinutes(-30) });
        await lab.Gateway.AddAsync(ConnectorLab.Aid, await alice.SealAsync("m-1", "From half an hour ago"), id: "m-1");

        await Wait.UntilAsync(() => lab.Gateway.Acked == 1);
        Assert.Equal(["From half an hour ago"], lab.Inbox.Texts);
    }

    /// <summary>Another identity at the same gateway.</summary>
    private sealed class Peer : IPeerKeys, IDisposable
    {
        private readonly FakeGateway _gateway;
        private readonly IdentityKeys _keys;
        private readonly Sealer _sealer;

        public Peer(FakeGateway gateway, string aid, TimeProvider? time = null)
        {
            using var key = IdentityKeys.NewKey();
            (_gateway, _keys) = (gateway, new IdentityKeys(aid, key));
            _sealer = new Sealer(_keys, "peer-device", this, new MemoryStore(), true, time ?? TimeProvider.System);
            gateway.Register(aid, _keys.Spki);
        }

        public async Task PublishAsync()
        {
            var prekey = await _sealer.PrekeyAsync(CancellationToken.None);
            _gateway.Prekeys[_keys.Aid] =
            [
                new JsonObject
                {
                    ["device_id"] = prekey.DeviceId,
                    ["prekey_id"] = prekey.Id,
                    ["public_key"] = prekey.PublicKey,
                    ["signature"] = prekey.Signature,
                    ["created_at"] = prekey.CreatedAt,
                },
            ];
        }

        public async Task<JsonNode> SealAsync(string id, string text)
        {
            var payload = JsonSerializer.SerializeToUtf8Bytes(new JsonObject { ["type"] = "text", ["text"] = text });
            return JsonNode.Parse((await _sealer.SealAsync(ConnectorLab.Aid, id, payload, CancellationToken.None)).Payload.Span)!;
        }

        public async Task<string> OpenAsync(string id, JsonNode envelope) => Encoding.UTF8.GetString((await _sealer.OpenAsync(
            new SealedMessage(ConnectorLab.Aid, _keys.Aid, id, JsonElement.Parse(Encoding.UTF8.GetBytes(envelope.ToJsonString())), true), CancellationToken.None)).Payload.Span);

        public ValueTask<PeerIdentity?> FindAsync(string aid, string? fingerprint, CancellationToken cancellationToken)
        {
            using var certificate = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPem(_gateway.Certificates[aid]);
            return ValueTask.FromResult<PeerIdentity?>(new PeerIdentity(aid, certificate));
        }

        public ValueTask<IReadOnlyList<DevicePrekey>> PrekeysAsync(string aid, CancellationToken cancellationToken) => ValueTask.FromResult<IReadOnlyList<DevicePrekey>>(
            _gateway.Prekeys.TryGetValue(aid, out var keys)
                ? [.. keys.Select(one => new DevicePrekey
                {
                    Id = (string)one["prekey_id"]!,
                    PublicKey = (string)one["public_key"]!,
                    Signature = (string)one["signature"]!,
                    CreatedAt = (long?)one["created_at"],
                    DeviceId = (string)one["device_id"]!,
                })]
                : []);

        public void Dispose()
        {
            _sealer.Dispose();
            _keys.Dispose();
        }
    }
}
