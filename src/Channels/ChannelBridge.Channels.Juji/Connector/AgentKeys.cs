using System.Security.Cryptography;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Identity;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>An agent's key among the skill's variables: two texts in hexadecimal, made when there are none.</summary>
internal static class AgentKeys
{
    private const string Purpose = "juji-ws-v1";

    /// <summary>The key.</summary>
    /// <exception cref="BridgeException">A private key is missing, or not the public one's; the file can't be read or written; the native library is missing.</exception>
    public static IdentityKey Load(SkillVariables variables)
    {
        try
        {
            var named = variables.Get(SkillVariables.PublicKey);
            if (variables.Get(SkillVariables.PrivateKey) is { } text)
            {
                var key = Read(text);
                var actual = Convert.ToHexStringLower(key.PublicKey.Span);
                if (named is null) variables.Save(new Dictionary<string, string> { [SkillVariables.PublicKey] = actual });
                else if (!string.Equals(named, actual, StringComparison.OrdinalIgnoreCase))
                {
                    key.Dispose();
                    throw BridgeException.Invalid(
                        $"{SkillVariables.PrivateKey} isn't the private key of {SkillVariables.PublicKey}; "
                        + $"remove both from {variables.Path} for a new one, or restore the right one");
                }

                return key;
            }

            if (named is not null)
                throw BridgeException.Invalid(
                    $"there is {SkillVariables.PublicKey} without {SkillVariables.PrivateKey}, and nothing can be signed; "
                    + $"restore it in {variables.Path}, or remove the public key for a new pair");
            return Create(variables);
        }
        catch (IdentityException fault)
        {
            throw new BridgeException(ErrorCodes.Unavailable, fault.Message, fault);
        }
    }

    /// <summary>The signature of a connection: hexadecimal, over <c>juji-ws-v1|AGENT|TIME</c>.</summary>
    public static string Sign(IdentityKey key, long agentId, long unixSeconds) =>
        Convert.ToHexStringLower(key.Sign(Payload(agentId.ToString(System.Globalization.CultureInfo.InvariantCulture), unixSeconds)));

    /// <summary>What is signed.</summary>
    public static byte[] Payload(string agentId, long unixSeconds) =>
        System.Text.Encoding.UTF8.GetBytes(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Purpose}|{agentId}|{unixSeconds}"));

    private static IdentityKey Create(SkillVariables variables)
    {
        var key = IdentityKey.Create();
        var seed = key.ExportSeed();
        try
        {
            variables.Save(new Dictionary<string, string>
            {
                [SkillVariables.PrivateKey] = Convert.ToHexStringLower(seed),
                [SkillVariables.PublicKey] = Convert.ToHexStringLower(key.PublicKey.Span),
            });
            return key;
        }
        catch
        {
            key.Dispose();
            throw;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(seed);
        }
    }

    private static IdentityKey Read(string text)
    {
        Span<byte> seed = stackalloc byte[IdentityKey.SeedLength];
        try
        {
            if (text.Length != 2 * IdentityKey.SeedLength || Convert.FromHexString(text, seed, out _, out var written) != System.Buffers.OperationStatus.Done
                || written != seed.Length)
                throw BridgeException.Invalid($"{SkillVariables.PrivateKey} isn't a key of {IdentityKey.SeedLength} bytes in hexadecimal");
            return IdentityKey.FromSeed(seed);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(seed);
        }
    }
}
