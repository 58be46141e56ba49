using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using ChannelBridge.Plugins.Manifest;

namespace ChannelBridge.Plugins.Packages;

/// <summary>The public keys whose plugins the operator trusts, by the names that he gave them: <c>DIR/plugins/trusted.json</c>.</summary>
/// <param name="dataFolder">The host's data folder.</param>
public sealed class TrustedKeys(string dataFolder)
{
    private const int MaxName = 60;
    private const int MaxKeys = 200;
    private readonly string _path = Path.Combine(dataFolder, "plugins", "trusted.json");
    private readonly Lock _lock = new();

    /// <summary>The keys in base64, by name.</summary>
    public IReadOnlyDictionary<string, string> List()
    {
        lock (_lock) return Read();
    }

    /// <summary>The name of a trusted key, or null.</summary>
    public string? NameOf(string key) => List().FirstOrDefault(entry => entry.Value == key).Key;

    /// <summary>The keys as <c>plugins.trust</c> answers them.</summary>
    public JsonArray ToJson() => new([.. List().Select(entry => (JsonNode)new JsonObject { ["name"] = entry.Key, ["key"] = entry.Value })]);

    /// <summary>Trusts a key.</summary>
    /// <exception cref="BridgeException">The name or the key can't be taken.</exception>
    public void Add(string name, string key)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length is 0 or > MaxName || !name.All(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' or '.' or '@'))
            throw BridgeException.Invalid($"a name has 1 to {MaxName} letters, digits or - _ . @");
        if (PluginSignature.ReadKey(key) is not { } verifier)
            throw BridgeException.Invalid("a public key is 32 bytes in base64, as 'channelbridge plugin keygen' prints it");
        lock (_lock)
        {
            var keys = Read();
            if (keys.Count >= MaxKeys && !keys.ContainsKey(name)) throw BridgeException.Invalid($"at most {MaxKeys} keys are trusted");
            keys[name] = Convert.ToBase64String(verifier.PublicKey.Span);
            Write(keys);
        }
    }

    /// <summary>Trusts a key no more. False when there was none of that name.</summary>
    public bool Remove(string name)
    {
        lock (_lock)
        {
            var keys = Read();
            if (!keys.Remove(name)) return false;
            Write(keys);
            return true;
        }
    }

    private SortedDictionary<string, string> Read()
    {
        try
        {
            using var file = File.OpenRead(_path);
            return JsonSerializer.Deserialize(file, TrustedKeysJson.Default.SortedDictionaryStringString) ?? [];
        }
        catch (Exception fault) when (fault is FileNotFoundException or DirectoryNotFoundException)
        {
            return [];
        }
        catch (JsonException)
        {
            throw new ManifestException(_path, [new SchemaFault("$", "isn't what the host wrote; remove it and trust the keys again")]);
        }
    }

    private void Write(SortedDictionary<string, string> keys)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        var part = _path + ".part";
        using (var file = new FileStream(part, FileMode.Create, FileAccess.Write))
        {
            JsonSerializer.Serialize(file, keys, TrustedKeysJson.Default.SortedDictionaryStringString);
            file.Flush(flushToDisk: true);
        }

        File.Move(part, _path, overwrite: true);
    }
}

[JsonSourceGenerationOptions(WriteIndented = true, NewLine = "\n")]
[JsonSerializable(typeof(SortedDictionary<string, string>))]
internal sealed partial class TrustedKeysJson : JsonSerializerContext;
