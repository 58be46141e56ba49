using System.Security.Cryptography;

namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>
/// What static pairs of keys have agreed on. Two of the four agreements of a message are the same for each message between the same two, and agreeing is most of what sealing
/// costs. Bounded; in memory only.
/// </summary>
internal sealed class Agreements
{
    private readonly BoundedCache<(string Own, string Other), byte[]> _known = new(2048);

    /// <summary>Of two identities.</summary>
    public byte[] Of(IdentityKeys own, PeerIdentity other) => _known.GetOrAdd((own.Fingerprint, other.Fingerprint), () => own.Agree(other.Agreement));

    /// <summary>Of an identity of this host and another one's prekey.</summary>
    public byte[] Of(IdentityKeys own, string prekey, ECDiffieHellman key) => _known.GetOrAdd((own.Fingerprint, prekey), () => own.Agree(key));

    /// <summary>Of a prekey of this host and another one's identity.</summary>
    public byte[] Of(string prekeyId, ECDiffieHellman key, PeerIdentity other) =>
        _known.GetOrAdd(("prekey:" + prekeyId, other.Fingerprint), () => key.DeriveRawSecretAgreement(other.Agreement.PublicKey));
}
