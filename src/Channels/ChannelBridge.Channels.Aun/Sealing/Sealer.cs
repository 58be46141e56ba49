using System.Security.Cryptography;
using System.Text.Json;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>One identity's sealing. Safe for use by many at once.</summary>
/// <param name="identity">The identity's keys; they stay the caller's.</param>
/// <param name="deviceId">Its device.</param>
/// <param name="peers">Where others' keys come from.</param>
/// <param name="records">The store.</param>
/// <param name="requireForwardSecrecy">False: to who has no prekey it is sealed with the identities' keys alone.</param>
/// <param name="time">The clock.</param>
/// <param name="askAgainAfter">How long others' prekeys are used before they are asked for again; null: 5 minutes. Where asking costs nothing, zero: then a new
/// device is known at once.</param>
/// <param name="namesDevices">True: what is sealed for one device is a copy that names it, too, so that a gateway tells it to no other one.</param>
internal sealed class Sealer(
    IdentityKeys identity, string deviceId, IPeerKeys peers, IRecords records, bool requireForwardSecrecy, TimeProvider time, TimeSpan? askAgainAfter = null,
    bool namesDevices = false)
    : ISealer, IDisposable
{
    /// <summary>Copies that one message may have.</summary>
    public const int MostCopies = 64;

    /// <summary>How far from now a pushed message may be.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(300);

    // What was checked and is offered again needn't be checked again for so long.
    private static readonly TimeSpan CheckedFor = TimeSpan.FromHours(1);
    private readonly TimeSpan _askAgainAfter = askAgainAfter ?? TimeSpan.FromMinutes(5);
    private readonly PrekeyBook _prekeys = new(identity, deviceId, records, time);
    private readonly ReplayGuard _replays = new(identity.Aid, records, time);
    private readonly Agreements _agreements = new();
    private readonly BoundedCache<string, Known> _devices = new(1024);

    /// <inheritdoc/>
    public string Aid => identity.Aid;

    /// <inheritdoc/>
    public string DeviceId => deviceId;

    /// <inheritdoc/>
    public SealingCounts Counts { get; } = new();

    /// <inheritdoc/>
    public ValueTask<DevicePrekey> PrekeyAsync(CancellationToken cancellationToken) => _prekeys.NewestAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<OpenedMessage> OpenAsync(SealedMessage message, CancellationToken cancellationToken)
    {
        try
        {
            var opened = await TryOpenAsync(message, cancellationToken).ConfigureAwait(false);
            Counts.CountOpened();
            return opened;
        }
        catch (SealingException fault)
        {
            Counts.CountRefused(fault.Fault);
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<SealedSend> SealAsync(string to, string messageId, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        try
        {
            var send = await TrySealAsync(to, messageId, payload, cancellationToken).ConfigureAwait(false);
            Counts.CountSealed();
            return send;
        }
        catch (SealingException fault)
        {
            Counts.CountRefused(fault.Fault);
            throw;
        }
    }

    /// <summary>A receiver's prekeys are asked for anew: the gateway has said that they are no longer the right ones.</summary>
    public void Forget(string aid) => _devices.Remove(aid);

    /// <inheritdoc/>
    public void Dispose() => _prekeys.Dispose();

    private async ValueTask<OpenedMessage> TryOpenAsync(SealedMessage message, CancellationToken cancellationToken)
    {
        var envelope = Envelope.Read(message.Payload);
        var aad = envelope.Aad;
        if (aad.From != message.From || aad.To != message.To || aad.MessageId != message.MessageId)
            throw new SealingException(SealingFault.AadMismatch, "the message's sender, receiver or id isn't the one that was sealed");
        if (!identity.Is(aad.RecipientFingerprint)) throw new SealingException(SealingFault.NotForUs, "it is sealed for another certificate");
        if (message.Pushed && (time.GetUtcNow() - At(aad.Timestamp)).Duration() > Window)
            throw new SealingException(SealingFault.OutOfTime, $"it was pushed more than {Window.TotalSeconds:0} s from its time");
        if (await peers.FindAsync(message.From, aad.SenderFingerprint, cancellationToken).ConfigureAwait(false) is not { } sender || !sender.Is(aad.SenderFingerprint))
            throw new SealingException(SealingFault.CertificateUnknown, "there is no trusted certificate of the sender");
        EnvelopeCipher.Verify(envelope, sender);
        if (await _replays.IsKnownAsync(message.From, message.MessageId, cancellationToken).ConfigureAwait(false))
            throw new SealingException(SealingFault.Replayed, "the same message came before");
        ECDiffieHellman? prekey = null;
        if (aad.Mode == Envelope.PrekeyMode)
        {
            prekey = await _prekeys.FindAsync(aad.PrekeyId!, cancellationToken).ConfigureAwait(false)
                ?? throw new SealingException(SealingFault.PrekeyUnknown, "the prekey for which it is sealed is gone, or never was here");
        }

        var text = EnvelopeCipher.Open(envelope, identity, prekey, sender, _agreements);
        if (!IsObject(text)) throw new SealingException(SealingFault.Malformed, "what was sealed is no JSON object");
        return new OpenedMessage(text, [_replays.Remember(message.From, message.MessageId)]);
    }

    private async ValueTask<SealedSend> TrySealAsync(string to, string messageId, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        if (payload.Length > Envelope.LongestText / 4 * 3) throw new SealingException(SealingFault.Malformed, "the payload is too large to be sealed");
        var devices = await DevicesAsync(to, cancellationToken).ConfigureAwait(false);
        // What goes to oneself is for the other devices anyhow.
        IReadOnlyList<Recipient> own = to == Aid ? [] : [.. (await OwnDevicesAsync(cancellationToken).ConfigureAwait(false)).Where(one => one.Prekey!.DeviceId != deviceId)];
        if (devices.Count + own.Count > MostCopies)
            throw new SealingException(SealingFault.TooManyDevices, $"the receiver and the sender have more than {MostCopies} devices together");
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        using var buffer = new MemoryStream();
        using (var writer = Envelope.NewWriter(buffer))
        {
            if (devices.Count == 1 && own.Count == 0 && !(namesDevices && devices[0].Prekey?.DeviceId is { Length: > 0 }))
            {
                Seal(devices[0]).Write(writer);
                writer.Flush();
                return new SealedSend(Envelope.SealedType, buffer.ToArray(), now);
            }

            writer.WriteStartObject();
            writer.WriteString("type"u8, Envelope.SeveralType);
            writer.WriteString("logical_message_id"u8, messageId);
            WriteCopies(writer, "recipient_copies", devices);
            WriteCopies(writer, "self_copies", own);
            writer.WriteEndObject();
            writer.Flush();
        }

        return new SealedSend(Envelope.SeveralType, buffer.ToArray(), now);

        Envelope Seal(Recipient one) => EnvelopeCipher.Seal(identity, one.Identity, one.Prekey, one.Key, to, messageId, now, payload.Span, _agreements);

        void WriteCopies(Utf8JsonWriter writer, string name, IReadOnlyList<Recipient> recipients)
        {
            writer.WriteStartArray(name);
            foreach (var one in recipients)
            {
                writer.WriteStartObject();
                writer.WriteString("device_id"u8, one.Prekey?.DeviceId ?? "");
                writer.WritePropertyName("envelope"u8);
                Seal(one).Write(writer);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }
    }

    private async ValueTask<IReadOnlyList<Recipient>> OwnDevicesAsync(CancellationToken cancellationToken)
    {
        try
        {
            return [.. (await DevicesAsync(Aid, cancellationToken).ConfigureAwait(false)).Where(static one => one.Prekey is not null)];
        }
        catch (SealingException)
        {
            // A copy for oneself is a convenience; the message goes all the same.
            return [];
        }
    }

    private async ValueTask<IReadOnlyList<Recipient>> DevicesAsync(string aid, CancellationToken cancellationToken)
    {
        if (_devices.TryGet(aid, out var known) && time.GetElapsedTime(known.AskedAt) < _askAgainAfter) return known.Devices;
        var offered = await peers.PrekeysAsync(aid, cancellationToken).ConfigureAwait(false);
        if (known is not null && time.GetElapsedTime(known.CheckedAt) < CheckedFor && known.Offered.SequenceEqual(offered))
        {
            _devices.Set(aid, known with { AskedAt = time.GetTimestamp() });
            return known.Devices;
        }

        if (offered.Count > MostCopies) throw new SealingException(SealingFault.TooManyDevices, $"the receiver has more than {MostCopies} devices");
        var devices = new List<Recipient>(offered.Count);
        var reason = SealingFault.NoPrekey;
        foreach (var prekey in offered.GroupBy(static one => one.DeviceId).Select(static same => same.MaxBy(static one => one.CreatedAt ?? 0)!))
        {
            var peer = await peers.FindAsync(aid, prekey.CertFingerprint, cancellationToken).ConfigureAwait(false);
            if (peer is null)
            {
                reason = SealingFault.CertificateUnknown;
                continue;
            }

            if (prekey.IsOutOfTime(time.GetUtcNow()) || !prekey.IsSignedBy(peer))
            {
                reason = SealingFault.PrekeyRefused;
                continue;
            }

            P256.TryReadBase64(prekey.PublicKey, 256, out var spki);
            devices.Add(new Recipient(peer, prekey, P256.ReadSpki(spki)));
        }

        if (devices.Count == 0)
        {
            // A wrong prekey is no reason to do without one: that is how forward secrecy would be taken away.
            if (requireForwardSecrecy || offered.Count > 0) throw CannotSeal(reason, aid);
            var peer = await peers.FindAsync(aid, null, cancellationToken).ConfigureAwait(false) ?? throw CannotSeal(SealingFault.CertificateUnknown, aid);
            return [new Recipient(peer, null, null)];
        }

        _devices.Set(aid, new Known(offered, devices, time.GetTimestamp(), time.GetTimestamp()));
        return devices;
    }

    private static SealingException CannotSeal(SealingFault fault, string aid) => new(fault, fault switch
    {
        SealingFault.NoPrekey => $"no registered device prekeys for {aid}, cannot send encrypted message; it publishes one when it next connects",
        SealingFault.CertificateUnknown => $"there is no trusted certificate of {aid}",
        _ => $"the prekeys of {aid} are too old or not signed by it",
    });

    private static DateTimeOffset At(long unixMilliseconds) =>
        unixMilliseconds is >= 0 and < 253402300800000 ? DateTimeOffset.FromUnixTimeMilliseconds(unixMilliseconds) : DateTimeOffset.MaxValue;

    private static bool IsObject(ReadOnlySpan<byte> text)
    {
        try
        {
            // With the bound of depth of everything that comes from outside.
            var reader = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = 64 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return false;
            while (reader.Read())
            {
                // Read to its end, to know that it is sound.
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private sealed record Known(IReadOnlyList<DevicePrekey> Offered, IReadOnlyList<Recipient> Devices, long AskedAt, long CheckedAt);

    private sealed record Recipient(PeerIdentity Identity, DevicePrekey? Prekey, ECDiffieHellman? Key);
}
