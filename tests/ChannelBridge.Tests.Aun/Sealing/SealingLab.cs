using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.Aun.Sealing;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Aun.Sealing;

/// <summary>Identities that know of each other through one book, in this process.</summary>
internal sealed class SealingLab : IPeerKeys, IDisposable
{
    private readonly ConcurrentDictionary<string, List<PeerIdentity>> _identities = new();
    private readonly ConcurrentDictionary<string, List<DevicePrekey>> _prekeys = new();
    private readonly List<IDisposable> _made = [];

    public ManualTime Time { get; } = new();

    public MemoryStore Store { get; }

    public SealingLab() => Store = new MemoryStore(Time);

    /// <summary>An identity with one device.</summary>
    public Sealer Add(string aid, string device = "device-1", bool requireForwardSecrecy = true, IdentityKeys? keys = null)
    {
        keys ??= NewKeys(aid);
        var sealer = new Sealer(keys, device, this, Store, requireForwardSecrecy, Time);
        _made.Add(sealer);
        return sealer;
    }

    /// <summary>A key whose certificate the others trust.</summary>
    public IdentityKeys NewKeys(string aid)
    {
        using var key = IdentityKeys.NewKey();
        using var certificate = Certificate(aid, key);
        var keys = new IdentityKeys(aid, key, certificate);
        Trust(aid, certificate);
        _made.Add(keys);
        return keys;
    }

    public void Trust(string aid, X509Certificate2 certificate) =>
        _identities.AddOrUpdate(aid, _ => [new PeerIdentity(aid, certificate)], (_, known) => [.. known, new PeerIdentity(aid, certificate)]);

    public void Distrust(string aid) => _identities.TryRemove(aid, out _);

    /// <summary>Publishes a device's newest prekey.</summary>
    public async Task<DevicePrekey> PublishAsync(Sealer sealer, Func<DevicePrekey, DevicePrekey>? change = null)
    {
        var prekey = await sealer.PrekeyAsync(CancellationToken.None);
        prekey = change?.Invoke(prekey) ?? prekey;
        _prekeys.AddOrUpdate(sealer.Aid, _ => [prekey], (_, known) => [.. known.Where(one => one.DeviceId != prekey.DeviceId), prekey]);
        return prekey;
    }

    public ValueTask<PeerIdentity?> FindAsync(string aid, string? fingerprint, CancellationToken cancellationToken) => ValueTask.FromResult(
        _identities.TryGetValue(aid, out var known) ? fingerprint is null ? known[^1] : known.Find(one => one.Is(fingerprint)) : null);

    public ValueTask<IReadOnlyList<DevicePrekey>> PrekeysAsync(string aid, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<DevicePrekey>>(_prekeys.TryGetValue(aid, out var known) ? known : []);

    public static X509Certificate2 Certificate(string aid, ECDsa key) =>
        new CertificateRequest($"CN={aid}", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));

    /// <summary>Opens what <see cref="Sealer.SealAsync"/> made, as the gateway would hand it to a device.</summary>
    public static ValueTask<OpenedMessage> OpenAsync(Sealer receiver, string from, string to, string messageId, JsonNode envelope, bool pushed = true) =>
        receiver.OpenAsync(
            new SealedMessage(from, to, messageId, JsonElement.Parse(JsonSerializer.SerializeToUtf8Bytes(envelope)), pushed), CancellationToken.None);

    public static async Task<SealingFault> RefusedAsync(Func<Task> action) => (await Assert.ThrowsAsync<SealingException>(action)).Fault;

    public void Dispose()
    {
        foreach (var one in _made) one.Dispose();
    }
}
