using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>A list of the certificates that an issuer has revoked, in DER as X.509 has it.</summary>
internal sealed class RevocationList
{
    private readonly HashSet<string> _serials = new(StringComparer.OrdinalIgnoreCase);

    private RevocationList()
    {
    }

    /// <summary>Until when there will be a next one.</summary>
    public DateTimeOffset? NextUpdate { get; private set; }

    /// <summary>True when a serial number, in hexadecimal, is in it.</summary>
    public bool Contains(string serial) => _serials.Contains(serial.TrimStart('0'));

    /// <summary>Reads a list; null when it isn't one, or that issuer hasn't signed it.</summary>
    public static RevocationList? Read(string pem, X509Certificate2 issuer)
    {
        try
        {
            var fields = PemEncoding.Find(pem);
            var reader = new AsnReader(Convert.FromBase64String(pem[fields.Base64Data]), AsnEncodingRules.DER);
            var whole = reader.ReadSequence();
            var signed = whole.PeekEncodedValue();
            var list = ReadList(whole.ReadSequence(), issuer);
            var hash = HashOf(whole.ReadSequence().ReadObjectIdentifier());
            var signature = whole.ReadBitString(out _);
            using var key = issuer.GetECDsaPublicKey();
            return list is not null && key?.VerifyData(signed.Span, signature, hash, DSASignatureFormat.Rfc3279DerSequence) is true ? list : null;
        }
        catch (Exception fault) when (fault is AsnContentException or FormatException or ArgumentException or CryptographicException)
        {
            return null;
        }
    }

    private static RevocationList? ReadList(AsnReader signed, X509Certificate2 issuer)
    {
        if (signed.PeekTag().HasSameClassAndValue(Asn1Tag.Integer)) signed.ReadInteger();
        signed.ReadSequence();
        if (!signed.ReadEncodedValue().Span.SequenceEqual(issuer.SubjectName.RawData)) return null;
        ReadTime(signed);
        var list = new RevocationList();
        if (signed.HasData && IsTime(signed.PeekTag())) list.NextUpdate = ReadTime(signed);
        // Absent where nothing was revoked.
        if (!signed.HasData || !signed.PeekTag().HasSameClassAndValue(Asn1Tag.Sequence)) return list;
        for (var entries = signed.ReadSequence(); entries.HasData;)
            list._serials.Add(Convert.ToHexString(entries.ReadSequence().ReadIntegerBytes().Span).TrimStart('0'));
        return list;
    }

    private static bool IsTime(Asn1Tag tag) => tag.HasSameClassAndValue(Asn1Tag.UtcTime) || tag.HasSameClassAndValue(Asn1Tag.GeneralizedTime);

    private static DateTimeOffset ReadTime(AsnReader reader) =>
        reader.PeekTag().HasSameClassAndValue(Asn1Tag.UtcTime) ? reader.ReadUtcTime() : reader.ReadGeneralizedTime();

    private static HashAlgorithmName HashOf(string algorithm) => algorithm switch
    {
        "1.2.840.10045.4.3.2" => HashAlgorithmName.SHA256,
        "1.2.840.10045.4.3.3" => HashAlgorithmName.SHA384,
        "1.2.840.10045.4.3.4" => HashAlgorithmName.SHA512,
        _ => throw new CryptographicException("no signature that is known here"),
    };
}
