using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace ChannelBridge.Protocol.OpenClaw;

/// <summary>
/// What a device signs to prove that it has its key: who it is, what it asks for and with which token, bound to the server's challenge.
/// Version 3; <see cref="WritePayloadV2"/> is what older clients sign.
/// </summary>
public sealed record DeviceProof
{
    /// <summary>The device's id: <see cref="IdOf"/> its key.</summary>
    public required string DeviceId { get; init; }

    /// <summary>The client's id, as in <c>connect</c>.</summary>
    public required string ClientId { get; init; }

    /// <summary>The client's mode, as in <c>connect</c>.</summary>
    public required string ClientMode { get; init; }

    /// <summary>The role that is asked for.</summary>
    public required string Role { get; init; }

    /// <summary>The scopes that are asked for, in the order of <c>connect</c>.</summary>
    public required IReadOnlyList<string> Scopes { get; init; }

    /// <summary>When it is signed: the challenge's <c>ts</c>, in Unix milliseconds.</summary>
    public required long SignedAt { get; init; }

    /// <summary>The token of <c>connect</c>; null when there is none.</summary>
    public string? Token { get; init; }

    /// <summary>The challenge's nonce.</summary>
    public required string Nonce { get; init; }

    /// <summary>The client's platform, as in <c>connect</c>.</summary>
    public string? Platform { get; init; }

    /// <summary>The kind of device, as in <c>connect</c>.</summary>
    public string? DeviceFamily { get; init; }

    /// <summary>The id of a device: the SHA-256 of its key's 32 bytes, in lower-case hex.</summary>
    public static string IdOf(ReadOnlySpan<byte> publicKey) => Convert.ToHexStringLower(SHA256.HashData(publicKey));

    /// <summary>A key or a signature as the protocol writes it: base64url without padding.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes) => Base64Url.EncodeToString(bytes);

    /// <summary>The token that a proof is bound to: the shared one, else the device's, else the set-up code's; null when there is none.</summary>
    public static string? TokenOf(ConnectAuth? auth) =>
        !string.IsNullOrEmpty(auth?.Token) ? auth.Token
        : !string.IsNullOrEmpty(auth?.DeviceToken) ? auth.DeviceToken
        : string.IsNullOrEmpty(auth?.BootstrapToken) ? null : auth.BootstrapToken;

    /// <summary>The bytes that are signed today; they bind platform and device family, too.</summary>
    public byte[] WritePayload() => Encoding.UTF8.GetBytes($"{Common("v3")}|{Normalize(Platform)}|{Normalize(DeviceFamily)}");

    /// <summary>The bytes that older clients sign.</summary>
    public byte[] WritePayloadV2() => Encoding.UTF8.GetBytes(Common("v2"));

    /// <summary>Nothing but the type's name: a proof holds the token.</summary>
    public override string ToString() => nameof(DeviceProof);

    /// <summary>Platform and device family are compared without spaces around them and without case, ASCII letters only.</summary>
    public static string Normalize(string? text)
    {
        if (text is null) return "";
        return string.Create(text.Trim().Length, text.Trim(), static (target, source) =>
        {
            for (var i = 0; i < target.Length; i++) target[i] = char.IsAsciiLetterUpper(source[i]) ? (char)(source[i] | 0x20) : source[i];
        });
    }

    private string Common(string version) => string.Join(
        '|', version, DeviceId, ClientId, ClientMode, Role, string.Join(',', Scopes), SignedAt.ToString(CultureInfo.InvariantCulture), Token ?? "", Nonce);
}
