using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Postgres;
using ChannelBridge.Storage.Sqlite;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChannelBridge.Host.Settings;

/// <summary>Which engine keeps what must not be lost, and its settings.</summary>
internal sealed class StoreChoice
{
    /// <summary>The settings of SQLite, the engine of a single host.</summary>
    public SqliteStoreOptions Sqlite { get; } = new();

    /// <summary>The settings of PostgreSQL, the engine of several.</summary>
    public PostgresStoreOptions Postgres { get; } = new();

    /// <summary>True when a connection to PostgreSQL is named.</summary>
    public bool IsShared => Postgres.ConnectionString.Length > 0;

    /// <summary>Registers the chosen engine as <see cref="IStore"/>.</summary>
    public void AddTo(IServiceCollection services)
    {
        if (IsShared)
        {
            services.AddSingleton(Options.Create(Postgres));
            services.AddPostgresStore(_ => { });
        }
        else
        {
            services.AddSingleton(Options.Create(Sqlite));
            services.AddSqliteStore(_ => { });
        }
    }
}

/// <summary>The keys of the store.</summary>
internal static class StoreSettings
{
    private const string Example = "Host=db.internal;Database=channelbridge;Username=bridge";

    /// <summary>The keys of both engines; those that they share stand once.</summary>
    public static IEnumerable<Setting> Keys => PostgresSettings.Keys.Settings.Concat(SqliteSettings.Keys.Settings).DistinctBy(setting => setting.Key);

    /// <summary>Where the database is: the keys that may hold a secret, and so are never repeated in a message.</summary>
    public static IEnumerable<Setting> Connection { get; } =
    [
        new("Store:Connection", "none: SQLite in the data folder",
            "PostgreSQL, for several hosts: the connection string (Npgsql's keywords). A secret when it holds a password: prefer the file, "
                + "or `Passfile=`.", Example) { Option = "--store", IsSecret = true },
        new("Store:ConnectionFile", "none", "A file whose first line is the connection string.", "/run/secrets/channelbridge-store"),
    ];

    /// <summary>Reads them all.</summary>
    public static StoreChoice Read(SettingsReader reader, string dataDirectory)
    {
        var choice = new StoreChoice { Sqlite = { Path = Path.Combine(dataDirectory, Defaults.DatabaseFile) } };
        SqliteSettings.Keys.Apply(reader, choice.Sqlite);
        PostgresSettings.Keys.Apply(reader, choice.Postgres);
        if (!PostgresStoreOptions.IsSchemaName(choice.Postgres.Schema))
            reader.Problem("Store:Schema", $"{SettingText.Show(choice.Postgres.Schema)} is not a valid schema name; use lower-case "
                + "letters, digits and underscores, 63 at most", "channelbridge");
        if (ReadConnection(reader) is { } connection) choice.Postgres.ConnectionString = connection;
        return choice;
    }

    private static string? ReadConnection(SettingsReader reader)
    {
        const string Key = "Store:Connection", FileKey = "Store:ConnectionFile";
        var (source, text) = (Key, reader.Text(Key));
        if (reader.Text(FileKey) is { } file)
        {
            if (text is not null)
            {
                reader.Problem(FileKey, $"{Key} is set, too; choose one of them", "/run/secrets/channelbridge-store");
                return null;
            }

            source = FileKey;
            try
            {
                text = File.ReadLines(SettingText.FullPath(file)).FirstOrDefault()?.Trim();
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                reader.Problem(FileKey, $"{SettingText.Show(file)} can't be read ({fault.Message.ReplaceLineEndings(" ")})", "/run/secrets/channelbridge-store");
                return null;
            }

            if (string.IsNullOrEmpty(text)) reader.Problem(FileKey, $"the first line of {SettingText.Show(file)} is empty", "/run/secrets/channelbridge-store");
        }

        if (string.IsNullOrEmpty(text)) return null;
        try
        {
            if (new NpgsqlConnectionStringBuilder(text).Host is { Length: > 0 }) return text;
            reader.Problem(source, "the connection string names no Host", Example);
        }
        catch (Exception fault) when (fault is ArgumentException or FormatException or KeyNotFoundException or InvalidCastException)
        {
            // The driver's message repeats parts of the text, and the text may hold a password.
            reader.Problem(source, "the text is not a valid Npgsql connection string (it isn't shown here, because it may hold a password)",
                Example);
        }

        return null;
    }
}
