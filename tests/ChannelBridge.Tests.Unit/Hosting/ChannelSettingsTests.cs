using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Bncr;
using ChannelBridge.Channels.InstaClaw;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Responses;
using ChannelBridge.Core.Transfers;
using ChannelBridge.Endpoints;
using ChannelBridge.OpenClaw;
using ChannelBridge.Storage.Postgres;
using ChannelBridge.Storage.Sqlite;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Tests.Unit.Hosting;

/// <summary>A host of one's own binds the settings groups of channels, core, doors and stores from its own configuration: the same keys, checks and defaults.</summary>
public sealed class ChannelSettingsTests
{
    [Fact]
    public void Options_OfAHostOfOnesOwn_AreReadFromItsConfiguration()
    {
        using var host = Build(
            bridge => bridge.AddBncr(options => options.MaxAccounts = 7),
            ("Channels:Bncr:DmPolicy", "allowlist"),
            ("Channels:Bncr:AllowFrom:0", "Bncr:qq:1"),
            ("Channels:Bncr:MaxAccounts", "5"),
            ("Channels:Bncr:Accounts:Shop:Name", "The shop"),
            ("Channels:Bncr:DedupeWindow", "2h"),
            ("Agents:Default", "local"));
        var options = host.Services.GetRequiredService<IOptions<BncrOptions>>().Value;
        Assert.Equal((BncrPolicyMode.Allowlist, TimeSpan.FromHours(2), "local"), (options.DmPolicy, options.DedupeWindow, options.Agent));
        Assert.Equal(["Bncr:qq:1"], options.AllowFrom);
        Assert.Equal("The shop", options.Accounts["shop"].Name);
        Assert.Equal(7, options.MaxAccounts);
    }

    [Fact]
    public async Task Start_WrongSettingsOfTwoChannels_NamesEachProblemOfBoth()
    {
        using var host = Build(
            bridge => bridge.AddBncr().AddInstaClaw(),
            ("Channels:Bncr:DmPolicy:0", "allowlist"),
            ("Channels:Bncr:MaxAccounts", "many"),
            ("Channels:Bncr:Delivery:Factor", "0.5"),
            ("Channels:InstaClaw:WsUrl", "http://not.a.broker"));
        var text = (await Assert.ThrowsAnyAsync<Exception>(() => host.StartAsync())).ToString();
        Assert.Contains("Channels:Bncr:DmPolicy: this key has one value, not a list", text, StringComparison.Ordinal);
        Assert.Contains("Channels:Bncr:MaxAccounts: 'many' is not a whole number", text, StringComparison.Ordinal);
        Assert.Contains("Channels:Bncr:Delivery:Factor: 0.5 is not between 1 and 100", text, StringComparison.Ordinal);
        Assert.Contains("Channels:InstaClaw:WsUrl", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Bounds_OfAHostOfOnesOwn_AreReadByTheSameKeysAndCodeGoesBefore()
    {
        using var host = Build(
            bridge =>
            {
                bridge.AddEndpoints(limits: limits => limits.MaxBatchItems = 9).AddOpenClaw().AddTransfers(files => files.Folder = "/srv/files");
                bridge.Services.AddSqliteStore(store => store.Readers = 2);
                bridge.Services.AddPostgresStore(_ => { });
            },
            ("Limits:InboxCapacity", "17"),
            ("Limits:MaxBatchItems", "8"),
            ("Limits:MaxJsonDepth", "20"),
            ("Responses:Slots", "3"),
            ("Store:Readers", "7"),
            ("Store:QueueCapacity", "99"),
            ("Store:Schema", "bridge"),
            ("Store:Files:MaxFileBytes", "5MiB"),
            ("Store:Files:Folder", "/tmp/not/this"),
            ("Agents:openclaw:RecentTurns", "44"));
        var services = host.Services;
        Assert.Equal(17, services.GetRequiredService<MessagingOptions>().InboxCapacity);
        var limits = services.GetRequiredService<IOptions<EndpointLimits>>().Value;
        Assert.Equal((9, 20), (limits.MaxBatchItems, limits.MaxJsonDepth));
        Assert.Equal(3, services.GetRequiredService<ResponseOptions>().Slots);
        var sqlite = services.GetRequiredService<IOptions<SqliteStoreOptions>>().Value;
        Assert.Equal((2, 99), (sqlite.Readers, sqlite.QueueCapacity));
        var postgres = services.GetRequiredService<IOptions<PostgresStoreOptions>>().Value;
        Assert.Equal(("bridge", 99), (postgres.Schema, postgres.QueueCapacity));
        var files = services.GetRequiredService<TransferOptions>();
        Assert.Equal((5L << 20, "/srv/files"), (files.MaxFileBytes, files.Folder));
        Assert.Equal(44, services.GetRequiredService<LinkOptions>().RecentTurns);
    }

    [Fact]
    public async Task Start_WrongBoundsOfSeveralParts_NamesEachProblem()
    {
        using var host = Build(
            bridge => bridge.AddOpenClaw(),
            ("Limits:InboxCapacity", "0"),
            ("Responses:Slots", "many"),
            ("Agents:openclaw:CallTimeout", "soon"),
            ("Channels:Bncr:MaxAccounts", "many"));
        var text = (await Assert.ThrowsAnyAsync<Exception>(() => host.StartAsync())).ToString();
        foreach (var key in (string[])["Limits:InboxCapacity", "Responses:Slots", "Agents:openclaw:CallTimeout"]) Assert.Contains(key + ": ", text, StringComparison.Ordinal);
        // A channel that isn't added has no say.
        Assert.DoesNotContain("Channels:Bncr", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Delivery_OfEveryChannelAndAccount_ReachesTheOutbox()
    {
        using var host = Build(
            bridge => bridge.AddBncr().AddInstaClaw(),
            ("Channels:Bncr:Delivery:MaxAttempts", "3"),
            ("Channels:Bncr:Accounts:default:Delivery:MaxAttempts", "4"),
            ("Channels:InstaClaw:Accounts:Shop:Delivery:AckTimeout", "7s"));
        var messaging = host.Services.GetRequiredService<MessagingOptions>();
        Assert.Equal(3, messaging.DeliveryOf("bncr", "shop").MaxAttempts);
        Assert.Equal(4, messaging.DeliveryOf("bncr", "primary").MaxAttempts);
        Assert.Equal(TimeSpan.FromSeconds(7), messaging.DeliveryOf("instaclaw", "shop").AckTimeout);
        Assert.Equal(messaging.DefaultDelivery, messaging.DeliveryOf("instaclaw", "other"));
    }

    [Fact]
    public void Aliases_StandBehindTheSettingsThemselves()
    {
        var settings = new ChannelSettings<BncrOptions>("Bncr", keys => keys
                .Duration("RpcTimeout", TimeSpan.Zero, TimeSpan.FromDays(1), o => o.RpcTimeout, (o, v) => o.RpcTimeout = v, "x")
                .Number("MaxAccounts", 1, 100, o => o.MaxAccounts, (o, v) => o.MaxAccounts = (int)v, "x"))
            .WithAlias("OTHER_TIMEOUT", "RpcTimeout", "ms")
            .WithAlias("OTHER_ACCOUNTS", "MaxAccounts");
        var variables = new Dictionary<string, string> { ["OTHER_TIMEOUT"] = "1500", ["OTHER_ACCOUNTS"] = "9" };
        var own = new Source(new() { ["Channels:Bncr:MaxAccounts"] = "3" });
        var reader = new SettingsReader(new AliasedSettings(own, settings, variables.GetValueOrDefault));
        var options = settings.Read(reader);
        Assert.Empty(reader.Problems);
        Assert.Equal((TimeSpan.FromMilliseconds(1500), 3), (options.RpcTimeout, options.MaxAccounts));
    }

    private static IHost Build(Action<IChannelBridgeBuilder> configure, params (string Key, string Value)[] settings)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(settings.Select(pair => new KeyValuePair<string, string?>(pair.Key, pair.Value)));
        builder.Services.AddLogging();
        builder.Services.AddSingleton<IStore>(new MemoryStore());
        configure(builder.Services.AddChannelBridge());
        return builder.Build();
    }

    private sealed class Source(Dictionary<string, string> values) : ISettingsSource
    {
        public string? Get(string key) => values.GetValueOrDefault(key);

        public IReadOnlyList<string> Children(string key) => [];
    }
}
