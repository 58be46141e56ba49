using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Identity;
using ChannelBridge.Plugins.Manifest;

namespace ChannelBridge.Plugins.Packages;

/// <summary>
/// The signature of a plugin: a list of the SHA-256 of every file, signed with Ed25519, in a file of the plugin. Whoever changes, adds or
/// removes a file breaks it.
/// </summary>
public static class PluginSignature
{
    /// <summary>Its file's name.</summary>
    public const string FileName = "channelbridge.signature.json";

    private const int MaxBytes = 2 * 1024 * 1024;
    // A key in base64 stands there as it is printed.
    private static readonly SignatureJson Readable = new(new JsonSerializerOptions(SignatureJson.Default.Options)
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    private static readonly IReadOnlyList<string> Self = [FileName];

    /// <summary>Signs the plugin of a folder.</summary>
    /// <returns>The text of the signature's file.</returns>
    /// <exception cref="ManifestException">The folder's plugin can't be taken.</exception>
    public static async Task<byte[]> SignAsync(string folder, IdentityKey key, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        var manifest = ManifestReader.ReadFolder(folder);
        var files = await HashAsync(PluginPackage.Files(folder), folder, cancellationToken).ConfigureAwait(false);
        return JsonSerializer.SerializeToUtf8Bytes(
            new SignatureFile
            {
                Plugin = manifest.Id,
                Version = manifest.Version,
                Key = Convert.ToBase64String(key.PublicKey.Span),
                Files = files,
                Signature = Convert.ToBase64String(key.Sign(Statement(manifest.Id, manifest.Version, files))),
            },
            Readable.SignatureFile);
    }

    /// <summary>Checks the signature of a plugin's folder.</summary>
    /// <returns>The public key that signed it, in base64; null when it isn't signed.</returns>
    /// <exception cref="ManifestException">It is signed, and isn't what was signed; with the name of each file that differs.</exception>
    public static async Task<string?> VerifyAsync(string folder, PluginManifest manifest, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) return null;
        var signature = Read(path);
        if (signature.Plugin != manifest.Id || signature.Version != manifest.Version)
            throw Refused([new SchemaFault(FileName, $"it is of {signature.Plugin} {signature.Version}, this is {manifest.Id} {manifest.Version}")]);
        var files = await HashAsync(PluginPackage.Files(folder, all: true), folder, cancellationToken).ConfigureAwait(false);
        var faults = new List<SchemaFault>();
        foreach (var (name, hash) in files)
        {
            if (!signature.Files.TryGetValue(name, out var said)) faults.Add(new SchemaFault(name, "was added after the plugin was signed"));
            else if (said != hash) faults.Add(new SchemaFault(name, "was changed after the plugin was signed"));
        }

        faults.AddRange(signature.Files.Keys.Where(name => !files.ContainsKey(name))
            .Select(name => new SchemaFault(name, "was removed after the plugin was signed")));
        if (faults.Count > 0) throw Refused([.. faults.Take(20)]);
        if (ReadKey(signature.Key) is not { } verifier) throw Refused([new SchemaFault(FileName, "its key isn't one")]);
        var bytes = new byte[IdentityVerifier.SignatureLength];
        if (!Convert.TryFromBase64String(signature.Signature, bytes, out var length) || length != bytes.Length
            || !verifier.Verify(Statement(manifest.Id, manifest.Version, files), bytes))
            throw Refused([new SchemaFault(FileName, "the signature isn't the one of its key")]);
        return Convert.ToBase64String(verifier.PublicKey.Span);
    }

    /// <summary>A public key in base64, as <c>plugin keygen</c> prints it; null when it isn't one.</summary>
    public static IdentityVerifier? ReadKey(string text)
    {
        var bytes = new byte[IdentityVerifier.KeyLength];
        return Convert.TryFromBase64String(text, bytes, out var length) && length == bytes.Length
            && IdentityVerifier.TryCreate(bytes, out var verifier) ? verifier : null;
    }

    private static SignatureFile Read(string path)
    {
        try
        {
            if (new FileInfo(path).Length > MaxBytes) throw Refused([new SchemaFault(FileName, $"is larger than {MaxBytes} bytes")]);
            using var file = File.OpenRead(path);
            return JsonSerializer.Deserialize(file, SignatureJson.Default.SignatureFile) ?? throw new JsonException();
        }
        catch (JsonException)
        {
            throw Refused([new SchemaFault(FileName, "isn't what 'plugin pack --sign' writes")]);
        }
    }

    private static async Task<SortedDictionary<string, string>> HashAsync(
        List<string> names, string folder, CancellationToken cancellationToken)
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in names.Except(Self, StringComparer.Ordinal))
        {
            var file = File.OpenRead(Path.Combine(folder, name));
            await using var closing = file.ConfigureAwait(false);
            files[name] = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken).ConfigureAwait(false));
        }

        return files;
    }

    // Names have no line breaks, so that no two lists are one text.
    private static byte[] Statement(string id, string version, SortedDictionary<string, string> files)
    {
        var text = new StringBuilder($"channelbridge-plugin-1\n{id}\n{version}\n");
        foreach (var (name, hash) in files) text.Append(hash).Append(' ').Append(name).Append('\n');
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static ManifestException Refused(IReadOnlyList<SchemaFault> faults) => new("the plugin's signature", faults);
}

/// <summary>The signature's file.</summary>
internal sealed record SignatureFile
{
    public required string Plugin { get; init; }

    public required string Version { get; init; }

    public required string Key { get; init; }

    public required SortedDictionary<string, string> Files { get; init; }

    public required string Signature { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n")]
[JsonSerializable(typeof(SignatureFile))]
internal sealed partial class SignatureJson : JsonSerializerContext;
