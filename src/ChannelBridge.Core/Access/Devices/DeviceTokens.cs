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
    public static bool Holds(DeviceRecord record, string token) =>
        record.Token is { Hash: { } known, RevokedAt: 0 } && token.Length <= AccessToken.MaxLength
        && CryptographicOperations.FixedTimeEquals(Convert.FromHexString(known), SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    /// <summary>What a caller by such a token is called: no access token has such a name, and no two devices have the same one.</summary>
    public static string CallerName(string deviceId) => "device/" + deviceId[..Math.Min(32, deviceId.Length)];

    private static string HashOf(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
