using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.Host.Composition;

/// <summary>
/// <c>host.json</c> in the data folder: where the host that uses it can be reached, so that local commands need no address. It goes at a graceful
/// stop; after a crash it is stale, and the lock says so.
/// </summary>
/// <param name="Pid">The process.</param>
/// <param name="Url">The first address of the own listener, or null.</param>
/// <param name="Socket">The Unix socket, or null.</param>
internal sealed record HostFile(int Pid, string? Url = null, string? Socket = null)
{
    private const string Name = "host.json";

    /// <summary>Writes it.</summary>
    public static void Write(string folder, HostFile content) =>
        OwnerOnly.WriteFile(Path.Combine(folder, Name), JsonSerializer.Serialize(content, HostFileJson.Default.HostFile) + "\n");

    /// <summary>Reads it; null when there is none that can be read.</summary>
    public static HostFile? Read(string folder)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(Path.Combine(folder, Name)), HostFileJson.Default.HostFile);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Removes it.</summary>
    public static void Delete(string folder)
    {
        try
        {
            File.Delete(Path.Combine(folder, Name));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // Only a convenience; the lock itself says whether a host is there.
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(HostFile))]
internal sealed partial class HostFileJson : JsonSerializerContext;
