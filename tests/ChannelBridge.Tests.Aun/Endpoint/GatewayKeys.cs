using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Tests.Aun.Endpoint;

/// <summary>Keys as a client finds them at the gateway.</summary>
internal sealed class GatewayKeys(GatewayLab lab, JsonObject found) : IPeerKeys
{
    public async ValueTask<PeerIdentity?> FindAsync(string aid, string? fingerprint, CancellationToken cancellationToken)
    {
        using var certificate = X509Certificate2.CreateFromPem((await lab.GetAsync($"/pki/cert/{aid}")).Text);
        return new PeerIdentity(aid, certificate);
    }

    public ValueTask<IReadOnlyList<DevicePrekey>> PrekeysAsync(string aid, CancellationToken cancellationToken) => ValueTask.FromResult<IReadOnlyList<DevicePrekey>>(
        aid == GatewayLab.Bot
            ? [.. found["device_prekeys"]!.AsArray().Select(static one => new DevicePrekey
            {
                Id = (string)one!["prekey_id"]!,
                PublicKey = (string)one["public_key"]!,
                Signature = (string)one["signature"]!,
                CreatedAt = (long?)one["created_at"],
                DeviceId = (string)one["device_id"]!,
            })]
            : []);

    /// <summary>A text for the agent, sealed with its prekey, as <c>message.send</c> takes it.</summary>
    /// <param name="sender">Who sends.</param>
    /// <param name="id">The message's id.</param>
    /// <param name="at">Its time.</param>
    /// <param name="byCertificate">True: the agent is named by the fingerprint of its certificate, as later SDKs do it.</param>
    public async Task<JsonObject> SealAsync(TestAgent sender, string id, DateTimeOffset at, bool byCertificate = false)
    {
        var bot = (await FindAsync(GatewayLab.Bot, null, CancellationToken.None))!;
        var prekey = Assert.Single(await PrekeysAsync(GatewayLab.Bot, CancellationToken.None));
        if (byCertificate) prekey = prekey with { CertFingerprint = bot.CertificateFingerprint };
        using var keys = new IdentityKeys(sender.Aid, sender.Key);
        using var key = P256.ReadSpki(Convert.FromBase64String(prekey.PublicKey));
        var envelope = EnvelopeCipher.Seal(
            keys, bot, prekey, key, GatewayLab.Bot, id, at.ToUnixTimeMilliseconds(), """{"type":"text","text":"secret"}"""u8, new Agreements());
        using var written = new MemoryStream();
        using (var writer = Envelope.NewWriter(written)) envelope.Write(writer);
        return new JsonObject
        {
            ["to"] = GatewayLab.Bot,
            ["type"] = Envelope.SealedType,
            ["encrypted"] = true,
            ["message_id"] = id,
            ["payload"] = JsonNode.Parse(written.ToArray()),
        };
    }
}
