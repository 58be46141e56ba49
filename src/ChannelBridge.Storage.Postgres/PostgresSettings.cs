using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Storage.Common;

namespace ChannelBridge.Storage.Postgres;

/// <summary>The keys of the PostgreSQL store.</summary>
internal static class PostgresSettings
{
    /// <summary>The keys. Where the database is, is the host's matter: it may hold a secret.</summary>
    public static readonly SettingGroup<PostgresStoreOptions> Keys = new SettingGroup<PostgresStoreOptions>("Store:")
        .Text("Schema", o => o.Schema, (o, v) => o.Schema = v, "PostgreSQL: the schema that holds the tables; made when it doesn't exist", "channelbridge")
        .Duration("ClaimTime", TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5), o => o.ClaimTime, (o, v) => o.ClaimTime = v,
            "PostgreSQL: how long a host that isn't heard of keeps its conversations before others go on with them")
        .Duration("ClaimLinger", TimeSpan.Zero, TimeSpan.FromHours(1), o => o.ClaimLinger, (o, v) => o.ClaimLinger = v,
            "PostgreSQL: how long a host keeps a conversation that has nothing to do")
        .Duration("CommandTimeout", TimeSpan.FromSeconds(1), TimeSpan.FromHours(1), o => o.CommandTimeout, (o, v) => o.CommandTimeout = v,
            "PostgreSQL: how long a statement may take before it counts as failed")
        .WithQueue();
}
