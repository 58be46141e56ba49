using System.Text.Json;
using ChannelBridge.Plugins.Protocol;

namespace ChannelBridge.Plugins.Manifest;

/// <summary>
/// Reads and checks manifests: against the published schema, against their folder, and against what else there is in the host.
/// </summary>
public static class ManifestReader
{
    private const int MaxBytes = 256 * 1024;

    private static readonly Lazy<JsonElement> ParsedSchema = new(() =>
    {
        using var document = JsonDocument.Parse(Schema);
        return document.RootElement.Clone();
    });

    /// <summary>The published JSON Schema, as text.</summary>
    public static string Schema
    {
        get
        {
            using var reader = new StreamReader(typeof(ManifestReader).Assembly.GetManifestResourceStream("plugin.schema.json")!);
            return reader.ReadToEnd();
        }
    }

    /// <summary>Reads the manifest of a plugin's folder and checks that what it runs is there.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="taken">Ids of channels that are others' already.</param>
    /// <exception cref="ManifestException">With every fault and its place.</exception>
    public static PluginManifest ReadFolder(string folder, IReadOnlySet<string>? taken = null)
    {
        var file = Path.Combine(folder, PluginManifest.FileName);
        byte[] text;
        try
        {
            if (new FileInfo(file).Length > MaxBytes)
                throw new ManifestException(file, [new SchemaFault("$", $"is larger than {MaxBytes} bytes")]);
            text = File.ReadAllBytes(file);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new ManifestException(
                file,
                [new SchemaFault(
                    "$", fault is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : "can't be read")]);
        }

        var manifest = Read(text, file, taken);
        var faults = new List<SchemaFault>();
        CheckRun(manifest.Run, folder, faults);
        return faults.Count == 0 ? manifest : throw new ManifestException(file, faults);
    }

    /// <summary>Reads a manifest's text.</summary>
    /// <param name="text">UTF-8.</param>
    /// <param name="what">What it is, for messages.</param>
    /// <param name="taken">Ids of channels that are others' already.</param>
    /// <exception cref="ManifestException">With every fault and its place.</exception>
    public static PluginManifest Read(ReadOnlySpan<byte> text, string what, IReadOnlySet<string>? taken = null)
    {
        var element = Parse(text, what);
        var faults = new List<SchemaFault>(SchemaCheck.Run(ParsedSchema.Value, element));
        if (faults.Count > 0) throw new ManifestException(what, faults);
        var manifest = element.Deserialize(ManifestJson.Default.PluginManifest)!;
        if (manifest.Protocol != PluginProtocol.Version)
            faults.Add(
                new SchemaFault(
                    "$.protocol",
                    $"it speaks version {manifest.Protocol} of the plugin protocol, this host version {PluginProtocol.Version}"));
        CheckNames(manifest, taken, faults);
        CheckPaths(manifest, faults);
        CheckSchemas(manifest, faults);
        return faults.Count == 0 ? manifest : throw new ManifestException(what, faults);
    }

    /// <summary>Checks settings against the manifest's schema.</summary>
    public static IReadOnlyList<SchemaFault> CheckSettings(PluginManifest manifest, JsonElement settings)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return manifest.Settings is { } schema ? SchemaCheck.Run(schema, settings) : [];
    }

    private static JsonElement Parse(ReadOnlySpan<byte> text, string what)
    {
        try
        {
            var reader = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = 64 });
            using var document = JsonDocument.ParseValue(ref reader);
            if (reader.Read()) throw new JsonException();
            return document.RootElement.Clone();
        }
        catch (JsonException fault)
        {
            var place = fault.LineNumber is { } line ? $"line {line + 1}, column {fault.BytePositionInLine + 1}" : "at its end";
            throw new ManifestException(what, [new SchemaFault(place, "isn't JSON")]);
        }
    }

    private static void CheckNames(PluginManifest manifest, IReadOnlySet<string>? taken, List<SchemaFault> faults)
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < manifest.Channels.Count; i++)
        {
            var id = manifest.Channels[i].Id;
            if (!ids.Add(id)) faults.Add(new SchemaFault($"$.channels[{i}].id", $"channel {id} stands there twice"));
            else if (taken?.Contains(id) == true)
                faults.Add(new SchemaFault($"$.channels[{i}].id", $"there is another channel {id} in this host"));
        }

        CheckUnique(manifest.Methods.Select(method => method.Name), "methods", ids, faults);
        CheckUnique(manifest.Tools.Select(tool => tool.Name), "tools", null, faults);
        for (var i = 0; i < manifest.Events.Count; i++)
        {
            if (!BelongsTo(manifest.Events[i], ids))
                faults.Add(new SchemaFault($"$.events[{i}]", "must begin with the id of one of the channels and a dot"));
        }
    }

    // Where a path belongs: the operator may allow a plugin others than those below its channels, which is checked when it is started.
    private static void CheckPaths(PluginManifest manifest, List<SchemaFault> faults)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < manifest.Endpoints.Count; i++)
        {
            foreach (var verb in manifest.Endpoints[i].Verbs)
            {
                if (!seen.Add($"{verb} {manifest.Endpoints[i].Path}"))
                    faults.Add(new SchemaFault($"$.endpoints[{i}].path", $"{verb} {manifest.Endpoints[i].Path} stands there twice"));
            }
        }

        for (var i = 0; i < manifest.Sockets.Count; i++)
        {
            if (!seen.Add(manifest.Sockets[i].Path))
                faults.Add(new SchemaFault($"$.sockets[{i}].path", $"{manifest.Sockets[i].Path} stands there twice"));
        }
    }

    /// <summary>The faults of paths that are neither below a channel's id nor below what the operator allows.</summary>
    /// <param name="manifest">The manifest.</param>
    /// <param name="allowed">Further paths, e.g. <c>/hooks/</c>.</param>
    internal static IReadOnlyList<SchemaFault> CheckPlaces(PluginManifest manifest, IReadOnlyList<string> allowed)
    {
        var faults = new List<SchemaFault>();
        var paths = manifest.Endpoints.Select((endpoint, i) => ($"$.endpoints[{i}].path", endpoint.Path))
            .Concat(manifest.Sockets.Select((socket, i) => ($"$.sockets[{i}].path", socket.Path)));
        foreach (var (place, path) in paths)
        {
            if (manifest.Channels.Any(channel => path.StartsWith($"/{channel.Id}/", StringComparison.Ordinal))) continue;
            if (allowed.Any(above => path.StartsWith(above.TrimEnd('/') + "/", StringComparison.Ordinal) || path == above)) continue;
            faults.Add(new SchemaFault(
                place, $"{path} isn't below /{manifest.Channels[0].Id}/; the operator may allow more by Plugins:{manifest.Id}:Paths"));
        }

        return faults;
    }

    private static void CheckUnique(IEnumerable<string> names, string member, HashSet<string>? channels, List<SchemaFault> faults)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var index = 0;
        foreach (var name in names)
        {
            var place = $"$.{member}[{index++}].name";
            if (!seen.Add(name)) faults.Add(new SchemaFault(place, $"{name} stands there twice"));
            if (channels is not null && !BelongsTo(name, channels))
                faults.Add(new SchemaFault(place, "must begin with the id of one of the channels and a dot"));
        }
    }

    private static bool BelongsTo(string name, HashSet<string> channels) => channels.Contains(name[..name.IndexOf('.')]);

    private static void CheckSchemas(PluginManifest manifest, List<SchemaFault> faults)
    {
        if (manifest.Settings is { } settings) SchemaKeywords.Check(settings, "$.settings", faults);
        for (var i = 0; i < manifest.Methods.Count; i++)
        {
            if (manifest.Methods[i].Params is { } parameters) SchemaKeywords.Check(parameters, $"$.methods[{i}].params", faults);
            if (manifest.Methods[i].Result is { } result) SchemaKeywords.Check(result, $"$.methods[{i}].result", faults);
        }

        for (var i = 0; i < manifest.Tools.Count; i++)
        {
            if (manifest.Tools[i].Arguments is { } arguments) SchemaKeywords.Check(arguments, $"$.tools[{i}].arguments", faults);
        }
    }

    private static void CheckRun(ManifestRun run, string folder, List<SchemaFault> faults)
    {
        if (run.Dotnet is { } assembly)
        {
            if (PluginFiles.Resolve(folder, assembly) is null)
                faults.Add(new SchemaFault("$.run.dotnet", $"there is no file {assembly} in the plugin's folder"));
            return;
        }

        var program = run.Command![0];
        if (program.Contains('/') || program.Contains('\\'))
        {
            if (Path.IsPathRooted(program) || program.Split('/', '\\').Contains(".."))
                faults.Add(new SchemaFault("$.run.command[0]", "must be inside the plugin's folder"));
            else if (PluginFiles.Resolve(folder, program) is null)
                faults.Add(new SchemaFault("$.run.command[0]", $"there is no file {program} in the plugin's folder"));
        }
        else if (PluginFiles.FindOnPath(program) is null)
        {
            faults.Add(
                new SchemaFault(
                    "$.run.command[0]", $"there is no program {program} on the PATH; write ./{program} for one of the plugin's folder"));
        }
    }
}
