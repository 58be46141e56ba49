namespace ChannelBridge.Identity;

/// <summary>Which public keys are refused before anything is verified by them. All of it is public, so nothing here needs constant time.</summary>
internal static class PointRules
{
    private const byte SignMask = 0x7F;

    /// <summary>
    /// The y coordinates of the eight points of small order, in their canonical form, little-endian, without the sign of x: y = 1, 0, the two of order 8, and −1.
    /// </summary>
    private static readonly byte[][] SmallOrder =
    [
        Convert.FromHexString("0100000000000000000000000000000000000000000000000000000000000000"),
        Convert.FromHexString("0000000000000000000000000000000000000000000000000000000000000000"),
        Convert.FromHexString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        Convert.FromHexString("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        Convert.FromHexString("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ];

    /// <summary>True for a key of full length that is neither of small order nor written with a y of 2^255 − 19 or more.</summary>
    public static bool IsTrustworthy(ReadOnlySpan<byte> key)
    {
        Span<byte> y = stackalloc byte[IdentityVerifier.KeyLength];
        key.CopyTo(y);
        y[^1] &= SignMask;
        if (!IsBelowPrime(y)) return false;
        foreach (var point in SmallOrder)
        {
            if (y.SequenceEqual(point)) return false;
        }

        return true;
    }

    /// <summary>The prime is 2^255 − 19: its lowest byte is ED, the highest 7F, those between are FF.</summary>
    private static bool IsBelowPrime(ReadOnlySpan<byte> y) => y[0] < 0xED || y[^1] != SignMask || y[1..^1].ContainsAnyExcept((byte)0xFF);
}
