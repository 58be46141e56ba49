using System.Formats.Asn1;

namespace ChannelBridge.Identity.Formats;

/// <summary>A public key as SubjectPublicKeyInfo (RFC 8410).</summary>
internal static class PublicKeyInfo
{
    private const string Label = "PUBLIC KEY";

    public static byte[] ReadPem(string pem)
    {
        var (_, content) = Pem.Find(pem, Label)
            ?? throw new IdentityException(IdentityFault.Malformed, "there is no PUBLIC KEY in this text");
        try
        {
            var reader = new AsnReader(content, AsnEncodingRules.DER);
            var info = reader.ReadSequence();
            reader.ThrowIfNotEmpty();
            var algorithm = info.ReadSequence().ReadObjectIdentifier();
            if (algorithm != Oids.Ed25519) throw new IdentityException(IdentityFault.Unsupported, $"this is a key of the algorithm {algorithm}, not of Ed25519");
            return info.ReadBitString(out _);
        }
        catch (AsnContentException fault)
        {
            throw new IdentityException(IdentityFault.Malformed, "the public key is damaged", fault);
        }
    }

    public static string WritePem(ReadOnlySpan<byte> raw)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            using (writer.PushSequence()) writer.WriteObjectIdentifier(Oids.Ed25519);
            writer.WriteBitString(raw);
        }

        return Pem.Write(Label, writer.Encode());
    }
}
