using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Sealing;
using FsCheck;
using FsCheck.Fluent;

namespace ChannelBridge.Tests.Aun.Sealing;

/// <summary>Sealing there and back, and everything that must be refused.</summary>
public sealed class SealingTests : IDisposable
{
    private const string Alice = "alice.example.org";
    private const string Bob = "bob.example.org";
    private readonly SealingLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Seal_AndOpen_GivesThePayload(bool withPrekey)
    {
        var (alice, bob) = (_lab.Add(Alice, requireForwardSecrecy: false), _lab.Add(Bob));
        if (withPrekey) await _lab.PublishAsync(bob);

        Prop.ForAll<NonNull<string>, NonNull<string>>((text, id) =>
        {
            if (!IsSound(text.Get) || !IsSound(id.Get)) return true;
            var payload = JsonSerializer.SerializeToUtf8Bytes(new JsonObject { ["type"] = "text", ["text"] = text.Get });
            var messageId = id.Get;
            var send = alice.SealAsync(Bob, messageId, payload, CancellationToken.None).AsTask().GetAwaiter().GetResult();
            Assert.Equal(Envelope.SealedType, send.Type);
            var envelope = JsonNode.Parse(send.Payload.Span)!;
            Assert.Equal(withPrekey ? "prekey_ecdh_v2" : "long_term_key", (string)envelope["encryption_mode"]!);
            var opened = SealingLab.OpenAsync(bob, Alice, Bob, messageId, envelope).AsTask().GetAwaiter().GetResult();
            return opened.Payload.Span.SequenceEqual(payload);
        }).QuickCheckThrowOnFailure();

        Assert.Equal(alice.Counts.Sealed, bob.Counts.Opened);
    }

    [Fact]
    public async Task Open_AnyByteChanged_IsRefused()
    {
        var (alice, bob) = (_lab.Add(Alice), _lab.Add(Bob));
        await _lab.PublishAsync(bob);
        var send = await alice.SealAsync(Bob, "m-1", """{"type":"text","text":"Hello"}"""u8.ToArray(), CancellationToken.None);
        var text = Encoding.UTF8.GetString(send.Payload.Span);
        var refused = 0;

        // Each character of each value, and of each name, is another one; what is no JSON any more can't even come here.
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is '"' or '{' or '}' or ',' or ':') continue;
            var changed = new StringBuilder(text) { [i] = text[i] == 'A' ? 'B' : text[i] is >= '0' and <= '8' ? (char)(text[i] + 1) : text[i] == '9' ? '8' : 'A' }.ToString();
            if (!TryParse(changed, out var envelope)) continue;
            await Assert.ThrowsAsync<SealingException>(async () => await SealingLab.OpenAsync(bob, Alice, Bob, "m-1", envelope));
            refused++;
        }

        Assert.True(refused > 1000, $"{refused}");
        Assert.Equal(refused, bob.Counts.Refused);
        Assert.Equal("""{"type":"text","text":"Hello"}""", Encoding.UTF8.GetString(
            (await SealingLab.OpenAsync(bob, Alice, Bob, "m-1", JsonNode.Parse(text)!)).Payload.Span));
    }

    [Fact]
    public async Task Open_AnyMemberMissingOrOfAnotherType_IsRefused()
    {
        var (alice, bob) = (_lab.Add(Alice), _lab.Add(Bob));
        await _lab.PublishAsync(bob);
        var send = await alice.SealAsync(Bob, "m-1", "{}"u8.ToArray(), CancellationToken.None);
        var sound = JsonNode.Parse(send.Payload.Span)!.AsObject();
        foreach (var name in sound.Select(member => member.Key).ToList())
        {
            foreach (JsonNode? other in new JsonNode?[] { null, 1, true, "", new JsonObject(), new JsonArray() })
            {
                var changed = sound.DeepClone().AsObject();
                changed[name] = other;
                await Assert.ThrowsAsync<SealingException>(async () => await SealingLab.OpenAsync(bob, Alice, Bob, "m-1", changed));
            }

            var without = sound.DeepClone().AsObject();
            without.Remove(name);
            await Assert.ThrowsAsync<SealingException>(async () => await SealingLab.OpenAsync(bob, Alice, Bob, "m-1", without));
        }

        foreach (var name in sound["aad"]!.AsObject().Select(member => member.Key).ToList())
        {
            var without = sound.DeepClone().AsObject();
            without["aad"]!.AsObject().Remove(name);
            await Assert.ThrowsAsync<SealingException>(async () => await SealingLab.OpenAsync(bob, Alice, Bob, "m-1", without));
        }
    }

    [Fact]
    public async Task Open_AnothersRoute_IsRefusedWithItsReason()
    {
        var (alice, bob, carol) = (_lab.Add(Alice), _lab.Add(Bob), _lab.Add("carol.example.org"));
        await _lab.PublishAsync(bob);
        await _lab.PublishAsync(carol);
        var send = await alice.SealAsync(Bob, "m-1", "{}"u8.ToArray(), CancellationToken.None);
        var envelope = JsonNode.Parse(send.Payload.Span)!;

        Assert.Equal(SealingFault.AadMismatch, await Open(bob, "mallory.example.org", Bob, "m-1"));
        Assert.Equal(SealingFault.AadMismatch, await Open(bob, Alice, "carol.example.org", "m-1"));
        Assert.Equal(SealingFault.AadMismatch, await Open(bob, Alice, Bob, "m-2"));
        Assert.Equal(SealingFault.NotForUs, await Open(carol, Alice, Bob, "m-1"));
        _lab.Distrust(Alice);
        Assert.Equal(SealingFault.CertificateUnknown, await Open(bob, Alice, Bob, "m-1"));
        _lab.NewKeys(Alice);
        Assert.Equal(SealingFault.CertificateUnknown, await Open(bob, Alice, Bob, "m-1"));

        Task<SealingFault> Open(Sealer who, string from, string to, string id) =>
            SealingLab.RefusedAsync(async () => await SealingLab.OpenAsync(who, from, to, id, envelope));
    }

    [Fact]
    public async Task Open_ASecondTime_IsAReplay_AlsoAfterARestart()
    {
        var keys = _lab.NewKeys(Bob);
        var (alice, bob) = (_lab.Add(Alice), _lab.Add(Bob, keys: keys));
        await _lab.PublishAsync(bob);
        var envelope = JsonNode.Parse((await alice.SealAsync(Bob, "m-1", "{}"u8.ToArray(), CancellationToken.None)).Payload.Span)!;

        // Opened, but lost before it was accepted: it may come again.
        await SealingLab.OpenAsync(bob, Alice, Bob, "m-1", envelope);
        var opened = await SealingLab.OpenAsync(bob, Alice, Bob, "m-1", envelope);
        await ((IRecords)_lab.Store).WriteAsync(opened.Records);

        Assert.Equal(SealingFault.Replayed, await SealingLab.RefusedAsync(async () => await SealingLab.OpenAsync(bob, Alice, Bob, "m-1", envelope)));
        var restarted = _lab.Add(Bob, keys: keys);
        Assert.Equal(SealingFault.Replayed, await SealingLab.RefusedAsync(async () => await SealingLab.OpenAsync(restarted, Alice, Bob, "m-1", envelope)));
        Assert.Equal(1, restarted.Counts.Of(SealingFault.Replayed));
    }

    [Fact]
    public async Task Open_LongAfterItsTime_IsRefusedWhenPushed_AndTakenWhenPulled()
    {
        var (alice, bob) = (_lab.Add(Alice), _lab.Add(Bob));
        await _lab.PublishAsync(bob);
        var envelope = JsonNode.Parse((await alice.SealAsync(Bob, "m-1", "{}"u8.ToArray(), CancellationToken.None)).Payload.Span)!;
        _lab.Time.Advance(TimeSpan.FromSeconds(301));

        Assert.Equal(SealingFault.OutOfTime, await SealingLab.RefusedAsync(async () => await SealingLab.OpenAsync(bob, Alice, Bob, "m-1", envelope)));
        await SealingLab.OpenAsync(bob, Alice, Bob, "m-1", envelope, pushed: false);
    }

    [Fact]
    public async Task Prekeys_AreRenewedHourly_AndKeptForAWeek_AlsoOverARestart()
    {
        var keys = _lab.NewKeys(Bob);
        var (alice, bob) = (_lab.Add(Alice), _lab.Add(Bob, keys: keys));
        var first = await _lab.PublishAsync(bob);
        var envelope = JsonNode.Parse((await alice.SealAsync(Bob, "m-1", "{}"u8.ToArray(), CancellationToken.None)).Payload.Span)!;
        Assert.Equal(first.Id, (await bob.PrekeyAsync(CancellationToken.None)).Id);
        _lab.Time.Advance(TimeSpan.FromHours(1));
        Assert.NotEqual(first.Id, (await bob.PrekeyAsync(CancellationToken.None)).Id);

        var restarted = _lab.Add(Bob, keys: keys);
        await SealingLab.OpenAsync(restarted, Alice, Bob, "m-1", envelope, pushed: false);
        _lab.Time.Advance(TimeSpan.FromDays(7));
        Assert.Equal(
            SealingFault.PrekeyUnknown, await SealingLab.RefusedAsync(async () => await SealingLab.OpenAsync(bob, Alice, Bob, "m-1", envelope, pushed: false)));
        Assert.Equal(
            SealingFault.PrekeyUnknown,
            await SealingLab.RefusedAsync(async () => await SealingLab.OpenAsync(_lab.Add(Bob, keys: keys), Alice, Bob, "m-1", envelope, pushed: false)));
    }

    [Fact]
    public async Task Prekeys_AtRest_HaveNoPrivateKeyInThem()
    {
        var bob = _lab.Add(Bob);
        var prekey = await bob.PrekeyAsync(CancellationToken.None);
        var stored = (await _lab.Store.ListRecordsAsync(PrekeyBook.Namespace, null, null, 10)).Single();

        var record = JsonNode.Parse(stored.Value.Span)!;
        Assert.Equal(["nonce", "sealed", "tag", "createdAt"], record.AsObject().Select(member => member.Key));
        // PKCS #8 of P-256 begins with a sequence; sealed, it would do so by chance only, and would have to be one, too.
        using var key = System.Security.Cryptography.ECDsa.Create();
        Assert.ThrowsAny<System.Security.Cryptography.CryptographicException>(() => key.ImportPkcs8PrivateKey(Convert.FromBase64String((string)record["sealed"]!), out _));
        Assert.Contains(prekey.Id, stored.Key, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Seal_WithoutAPrekey_IsAnError_AndNeverPlainText()
    {
        var (alice, lax) = (_lab.Add(Alice), _lab.Add("lax.example.org", requireForwardSecrecy: false));
        var bob = _lab.Add(Bob);

        Assert.Equal(SealingFault.NoPrekey, await SealingLab.RefusedAsync(async () => await alice.SealAsync(Bob, "m", "{}"u8.ToArray(), CancellationToken.None)));
        Assert.Equal(
            SealingFault.CertificateUnknown,
            await SealingLab.RefusedAsync(async () => await lax.SealAsync("nobody.example.org", "m", "{}"u8.ToArray(), CancellationToken.None)));
        var send = await lax.SealAsync(Bob, "m", "{}"u8.ToArray(), CancellationToken.None);
        await SealingLab.OpenAsync(bob, lax.Aid, Bob, "m", JsonNode.Parse(send.Payload.Span)!);
    }

    [Fact]
    public async Task Seal_ForAWrongPrekey_IsRefused_AlsoWhereForwardSecrecyIsNotRequired()
    {
        var alice = _lab.Add(Alice, requireForwardSecrecy: false);
        var bob = _lab.Add(Bob);
        await _lab.PublishAsync(bob, prekey => prekey with { CreatedAt = prekey.CreatedAt - 1 });
        Assert.Equal(SealingFault.PrekeyRefused, await Refused());
        await _lab.PublishAsync(bob, prekey => prekey with { Signature = Convert.ToBase64String(new byte[70]) });
        Assert.Equal(SealingFault.PrekeyRefused, await Refused());
        await _lab.PublishAsync(bob);
        _lab.Time.Advance(TimeSpan.FromDays(31));
        Assert.Equal(SealingFault.PrekeyRefused, await Refused());

        Task<SealingFault> Refused() => SealingLab.RefusedAsync(async () => await alice.SealAsync(Bob, "m", "{}"u8.ToArray(), CancellationToken.None));
    }

    [Fact]
    public async Task Seal_ForSeveralDevices_MakesACopyForEach_AndForOnesOwnOthers()
    {
        var (aliceKeys, bobKeys) = (_lab.NewKeys(Alice), _lab.NewKeys(Bob));
        var (alice, aliceOther) = (_lab.Add(Alice, "a-1", keys: aliceKeys), _lab.Add(Alice, "a-2", keys: aliceKeys));
        var (bob1, bob2) = (_lab.Add(Bob, "b-1", keys: bobKeys), _lab.Add(Bob, "b-2", keys: bobKeys));
        foreach (var one in new[] { alice, aliceOther, bob1, bob2 }) await _lab.PublishAsync(one);

        var send = await alice.SealAsync(Bob, "m-1", """{"text":"Hello"}"""u8.ToArray(), CancellationToken.None);

        Assert.Equal(Envelope.SeveralType, send.Type);
        var payload = JsonNode.Parse(send.Payload.Span)!;
        Assert.Equal("m-1", (string)payload["logical_message_id"]!);
        Assert.Equal(["b-1", "b-2"], payload["recipient_copies"]!.AsArray().Select(copy => (string)copy!["device_id"]!).Order());
        Assert.Equal(["a-2"], payload["self_copies"]!.AsArray().Select(copy => (string)copy!["device_id"]!));
        await SealingLab.OpenAsync(bob1, Alice, Bob, "m-1", CopyFor("recipient_copies", "b-1"));
        await SealingLab.OpenAsync(bob2, Alice, Bob, "m-1", CopyFor("recipient_copies", "b-2"));
        // The same message, to the same receiver, but for the sender's own key.
        await SealingLab.OpenAsync(aliceOther, Alice, Bob, "m-1", CopyFor("self_copies", "a-2"));

        JsonNode CopyFor(string list, string device) => payload[list]!.AsArray().Single(copy => (string)copy!["device_id"]! == device)!["envelope"]!;
    }

    [Theory]
    [InlineData("e2ee.group_encrypted", true)]
    [InlineData("e2ee.v3", true)]
    [InlineData("e2ee.encrypted", false)]
    [InlineData("text", false)]
    public void OtherKind_IsWhatIsSealedOtherwise(string type, bool expected) =>
        Assert.Equal(expected ? type : null, Envelope.OtherKind(JsonElement.Parse($$"""{"type":"{{type}}"}""")));

    private static bool IsSound(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) == text && text.Length <= 1000;

    private static bool TryParse(string text, out JsonNode envelope)
    {
        try
        {
            envelope = JsonNode.Parse(text)!;
            return true;
        }
        catch (JsonException)
        {
            envelope = new JsonObject();
            return false;
        }
    }
}
