using System.Security.Cryptography;
using System.Text;

namespace ChannelBridge.Core.Access.Devices;

/// <summary>Makes tokens of devices and recognises them.</summary>
internal static class DeviceTokens
{
    /// <summary>A new token and its hash.</summary>
    public static (string Token, string Hash) Make()
    {
        var token = "cbd_" + Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)).TrimEnd('=').Replace('+', '-').Replace('/', '_');
        return (token, HashOf(token));
    }

    /// <summary>True when this is the device's token and holds; takes the same time for whatever is wrong.</summary>
    public static bool Holds(DeviceRecord record, string token)
    {
        if (record.Token is not { RevokedAt: 0 } known || token.Length > AccessToken.MaxLength) return false;
        var hash = HashOf(token);
        return Same(known.Hash, hash) | Same(known.FormerHash, hash);

        static bool Same(string? known, string hash) => known is not null && CryptographicOperations.FixedTimeEquals(Convert.FromHexString(known), Convert.FromHexString(hash));
    }

    /// <summary>What a caller by such a token is called: no access token has such a name, and no two devices have the same one.</summary>
    public static string CallerName(string deviceId) => "device/" + deviceId[..Math.Min(32, deviceId.Length)];

    /// <summary>A token's hash, hexadecimal.</summary>
    public static string HashOf(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
