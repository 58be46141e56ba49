using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Core.Transfers;
using Npgsql;

namespace ChannelBridge.Host.Settings;

/// <summary>
/// What of the host's own no message may carry away: its data folder, its spool, and every file that its settings name. A folder from which files may be sent can
/// well contain them: a home folder does.
/// </summary>
internal static class SecretFiles
{
    /// <summary>Their full paths.</summary>
    public static IReadOnlyList<string> Of(MergedSettings settings, string dataDirectory, TransferOptions files, StoreChoice store)
    {
        var paths = new HashSet<string>(StringComparer.Ordinal)
        {
            dataDirectory,
            files.Folder,
            store.Sqlite.Path,
            store.Sqlite.Path + "-wal",
            store.Sqlite.Path + "-shm",
            Path.Combine(AppContext.BaseDirectory, "appsettings.json"),
        };
        foreach (var (key, value) in settings.Values)
        {
            if (string.IsNullOrWhiteSpace(value.Value)) continue;
            // CertificateFile, TokenFile, KeyFile, ConnectionFile and whatever is named so later; InstaClaw's profiles lie in a folder of their own.
            if (key.EndsWith("File", StringComparison.OrdinalIgnoreCase)) paths.Add(SettingText.FullPath(value.Value.Trim()));
            else if (key.EndsWith(":BaseFolder", StringComparison.OrdinalIgnoreCase)) paths.UnionWith(OfProfiles(SettingText.FullPath(value.Value.Trim())));
        }

        foreach (var path in OfConnection(store.Postgres.ConnectionString)) paths.Add(SettingText.FullPath(path));
        return [.. paths];
    }

    private static string[] OfProfiles(string folder) => [Path.Combine(folder, ".insta"), Path.Combine(folder, "accounts")];

    /// <summary>A line for each folder of a setting in which some of them lie; said at start.</summary>
    public static IEnumerable<string> Warnings(string key, IEnumerable<string> roots, IReadOnlyList<string> secrets)
    {
        foreach (var root in roots)
        {
            var inside = secrets.Where(secret => FilePaths.IsWithin(Resolve(secret), Resolve(root))).ToList();
            if (inside.Count == 0) continue;
            yield return $"{key}: {root} contains {string.Join(", ", inside.Take(3))}{(inside.Count > 3 ? " and more" : "")} of this host; "
                + "nothing of that is ever sent, but a narrower folder is safer";
        }
    }

    private static IEnumerable<string> OfConnection(string? connection)
    {
        if (string.IsNullOrEmpty(connection)) return [];
        var parts = new NpgsqlConnectionStringBuilder(connection);
        return new[] { parts.Passfile, parts.SslKey, parts.SslCertificate }.OfType<string>().Where(path => path.Length > 0);
    }

    private static string Resolve(string path)
    {
        try
        {
            return FilePaths.Resolve(path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return path;
        }
    }
}
