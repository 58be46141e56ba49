using System.Text.Json;
using ChannelBridge.Host.Composition;

namespace ChannelBridge.Host.Settings;

/// <summary>Reads a settings file. Its shape is checked here, where an array and an object can still be told apart.</summary>
internal static class JsonSettings
{
    private const string Kind = "file";
    private const string Example = "{ \"Listen\": { \"Urls\": \"http://127.0.0.1:7788\" } }";

    /// <summary>No settings are longer; a file that is would only cost the time to find that out.</summary>
    private const int MostBytes = 4 << 20;

    private static readonly JsonDocumentOptions Options = new() { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip, MaxDepth = 32 };

    /// <summary>Reads a file; one that doesn't exist has no settings.</summary>
    /// <param name="path">The file.</param>
    /// <param name="isTrusted">True for the program's own folder, which is as trusted as the program; the data folder's file is not.</param>
    /// <param name="index">The settings that are known.</param>
    /// <param name="problems">Takes what is wrong.</param>
    public static SettingsLayer Read(string path, bool isTrusted, SettingsIndex index, List<string> problems)
    {
        var values = new Dictionary<string, SettingValue>(StringComparer.OrdinalIgnoreCase);
        var layer = new SettingsLayer(Kind, values);
        if (!Path.Exists(path)) return layer;
        try
        {
            if (!isTrusted && FileTrust.Problem(path) is { } distrusted)
            {
                problems.Add(distrusted);
            }
            else if (Content(path) is not { } content)
            {
                problems.Add($"{path}: a settings file is a regular file of {MostBytes >> 20} MiB at most; example: {Example}");
            }
            else if (content.Length > 0)
            {
                using var document = JsonDocument.Parse(content, Options);
                if (document.RootElement.ValueKind == JsonValueKind.Object) Walk(document.RootElement, "");
                else problems.Add($"{path}: the settings are an object with sections; example: {Example}");
            }
            else
            {
                problems.Add($"{path}: is not valid JSON (it is empty); example: {Example}");
            }
        }
        catch (JsonException fault)
        {
            problems.Add($"{path}: is not valid JSON ({fault.Message.ReplaceLineEndings(" ")}); example: {Example}");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            problems.Add($"{path}: can't be read ({fault.Message.ReplaceLineEndings(" ")}); example: {Example}");
        }

        return layer;

        void Walk(JsonElement element, string key)
        {
            switch (element.ValueKind)
            {
                case JsonValueKind.Object:
                    var isEmpty = true;
                    foreach (var member in element.EnumerateObject())
                    {
                        isEmpty = false;
                        if (member.Name.Length == 0) problems.Add($"{path}: {(key.Length == 0 ? "the settings have" : key + " has")} a key without a name; example: {Example}");
                        else Walk(member.Value, key.Length == 0 ? member.Name : $"{key}:{member.Name}");
                    }

                    // An account with no settings of its own is there nevertheless.
                    if (isEmpty && key.Length > 0) Set(key, null);
                    break;
                case JsonValueKind.Array:
                    if (index.Find(key) is { Fit: SettingsIndex.Fit.Section })
                    {
                        problems.Add($"{key}: this is a section with keys of its own, not an array; example: \"{key[(key.LastIndexOf(':') + 1)..]}\": {{ … }}");
                        return;
                    }

                    var place = 0;
                    foreach (var item in element.EnumerateArray()) Walk(item, $"{key}:{place++}");
                    if (place == 0) Set(key, "");
                    break;
                case JsonValueKind.Null:
                    if (index.Find(key) is { Setting: { } setting }) problems.Add($"{key}: null is no value; leave the key out for the default; example: {setting.Example}");
                    else Set(key, null);
                    break;
                default:
                    Set(key, element.ToString());
                    break;
            }
        }

        void Set(string key, string? value)
        {
            if (!values.TryAdd(key, new SettingValue(value, Kind, path)))
                problems.Add($"{key}: it stands twice in {path}; keep one of them; example: {Example}");
        }
    }

    /// <summary>The file's bytes; null when it is none that settings can stand in.</summary>
    private static byte[]? Content(string path)
    {
        // A pipe or a device would keep the start waiting for ever.
        if (!File.Exists(path) || !FileTrust.IsRegular(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path)) return null;
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        if (stream.Length > MostBytes) return null;
        var content = new byte[stream.Length];
        stream.ReadExactly(content);

        // Editors of Windows begin a file with a mark of its encoding.
        return content is [0xEF, 0xBB, 0xBF, ..] ? content[3..] : content;
    }
}
