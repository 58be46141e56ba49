using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.Client.Identity;

/// <summary>The file: a key, and its tokens at one gateway.</summary>
internal sealed record DeviceFile
{
    /// <summary>The form that is written.</summary>
    public const int Current = 1;

    public required int Version { get; init; }

    /// <summary>PKCS#8 PEM, encrypted when there is a passphrase.</summary>
    public required string PrivateKey { get; init; }

    /// <summary>By role.</summary>
    public Dictionary<string, StoredDeviceToken> Tokens { get; init; } = [];
}

/// <summary>A token in the file.</summary>
internal sealed record StoredDeviceToken(string Token, IReadOnlyList<string> Scopes);

/// <summary>Source-generated serialisation of the file.</summary>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web, WriteIndented = true, NewLine = "\n", RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true,
    ReadCommentHandling = JsonCommentHandling.Skip)]
[JsonSerializable(typeof(DeviceFile))]
internal sealed partial class DeviceFileJson : JsonSerializerContext;
