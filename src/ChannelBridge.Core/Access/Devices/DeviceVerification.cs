using System.Buffers;
using System.Buffers.Text;
using ChannelBridge.Identity;
using ChannelBridge.Protocol.OpenClaw;

namespace ChannelBridge.Core.Access.Devices;

/// <summary>What the host sends first, for a device to sign.</summary>
/// <param name="Nonce">Used once.</param>
/// <param name="At">When (Unix ms).</param>
internal sealed record Challenge(string Nonce, long At);

/// <summary>Checks that a client has the key of the device that it says it is, for this very connection.</summary>
internal static class DeviceVerification
{
    /// <summary>How far the time of a signature may be from the challenge's.</summary>
    public static readonly TimeSpan Skew = TimeSpan.FromSeconds(120);

    /// <summary>Checks the device identity of a <c>connect</c>.</summary>
    /// <param name="connect">The params; with a device.</param>
    /// <param name="challenge">This connection's challenge: no other connection has its nonce, and this one takes one <c>connect</c>.</param>
    /// <returns>What is wrong, or null.</returns>
    /// <exception cref="IdentityException">Signatures can't be checked on this platform; the message names what is missing.</exception>
    public static DeviceFault? Check(ConnectParams connect, Challenge challenge)
    {
        var device = connect.Device!;
        if (Decode(device.PublicKey, IdentityVerifier.KeyLength) is not { } key || DeviceProof.IdOf(key) != device.Id) return DeviceFault.IdMismatch;
        // Not Math.Abs of the difference: it overflows at the ends.
        var skew = (long)Skew.TotalMilliseconds;
        if (device.SignedAt < challenge.At - skew || device.SignedAt > challenge.At + skew) return DeviceFault.Expired;
        var signedNonce = device.Nonce.Trim();
        if (signedNonce.Length == 0) return DeviceFault.NonceMissing;
        if (signedNonce != challenge.Nonce) return DeviceFault.NonceMismatch;
        if (!IdentityVerifier.TryCreate(key, out var verifier)) return DeviceFault.PublicKey;
        if (Decode(device.Signature, IdentityVerifier.SignatureLength) is not { } signature) return DeviceFault.Signature;
        var proof = new DeviceProof
        {
            DeviceId = device.Id,
            ClientId = connect.Client.Id,
            ClientMode = connect.Client.Mode,
            Role = connect.Role ?? "operator",
            Scopes = connect.Scopes ?? [],
            SignedAt = device.SignedAt,
            Token = DeviceProof.TokenOf(connect.Auth),
            Nonce = challenge.Nonce,
            Platform = connect.Client.Platform,
            DeviceFamily = connect.Client.DeviceFamily,
        };
        return verifier.Verify(proof.WritePayload(), signature) || verifier.Verify(proof.WritePayloadV2(), signature) ? null : DeviceFault.Signature;
    }

    /// <summary>Reads base64url, padded or not; null when it isn't, or isn't of that length.</summary>
    private static byte[]? Decode(string text, int length)
    {
        // No text of that many bytes is longer.
        if (text.Length > (length * 4 / 3) + 4) return null;
        var bytes = new byte[length + 3];
        return Base64Url.DecodeFromChars(text, bytes, out _, out var written) == OperationStatus.Done && written == length ? bytes[..length] : null;
    }
}
