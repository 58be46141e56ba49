using ChannelBridge.Abstractions.Messaging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Abstractions.Settings;

/// <summary>A channel's settings, read into its options. What is read is the same whoever's host the channel runs in.</summary>
/// <typeparam name="TOptions">The channel's options; the defaults of a new instance are those of the settings.</typeparam>
public sealed class ChannelSettings<TOptions> : ChannelSettings
    where TOptions : class, new()
{
    private readonly SettingGroup<TOptions> _keys;
    private readonly List<(IEnumerable<Setting> Settings, Action<SettingsReader, TOptions> Read)> _accounts = [];
    private readonly List<Action<TOptions, SettingsReader>> _defaults = [];
    private readonly List<Action<TOptions, SettingsReader>> _mendings = [];
    private readonly List<IValidateOptions<TOptions>> _checks = [];
    private Func<string, string>? _accountKey;

    /// <summary>Settings of a channel.</summary>
    /// <param name="name">The channel's name in keys; in lower case it is the channel's id.</param>
    /// <param name="keys">Adds the keys of the channel, e.g. <c>keys => keys.Flag("Enabled", …)</c>.</param>
    public ChannelSettings(string name, Action<SettingGroup<TOptions>> keys)
        : base(name)
    {
        ArgumentNullException.ThrowIfNull(keys);
        _keys = new SettingGroup<TOptions>(Prefix);
        keys(_keys);
    }

    /// <summary>The checks of the options, beyond those of single keys.</summary>
    public IReadOnlyList<IValidateOptions<TOptions>> Checks => _checks;

    /// <inheritdoc/>
    protected override IEnumerable<Setting> OwnSettings => [.. _keys.Settings, .. _accounts.SelectMany(account => account.Settings)];

    /// <summary>Adds what differs by account: <c>Channels:NAME:Accounts:ID</c>.</summary>
    /// <param name="keys">Adds the keys of an account.</param>
    /// <param name="accounts">Where the accounts stand in the options.</param>
    public ChannelSettings<TOptions> WithAccounts<TAccount>(
        Action<SettingGroup<TAccount>> keys, Func<TOptions, IDictionary<string, TAccount>> accounts)
        where TAccount : class, new()
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(accounts);
        var group = new SettingGroup<TAccount>(Prefix + "Accounts:<id>:");
        keys(group);
        _accounts.Add((group.Settings, Read));
        return this;

        void Read(SettingsReader reader, TOptions options)
        {
            foreach (var id in reader.Source.Children(Prefix + "Accounts"))
            {
                var account = new TAccount();
                group.Apply(reader, account, $"{Prefix}Accounts:{id}:");
                accounts(options)[id] = account;
            }
        }
    }

    /// <summary>Adds parts of an account that are named or numbered: <c>Channels:NAME:Accounts:ID:PARTS:N</c>. Called after <see cref="WithAccounts"/>.</summary>
    /// <param name="name">What the parts are called, e.g. <c>Routes</c>.</param>
    /// <param name="keys">Adds the keys of a part.</param>
    /// <param name="accounts">Where the accounts stand in the options.</param>
    /// <param name="parts">Where the parts stand in an account.</param>
    public ChannelSettings<TOptions> WithAccountParts<TAccount, TPart>(
        string name, Action<SettingGroup<TPart>> keys, Func<TOptions, IDictionary<string, TAccount>> accounts, Func<TAccount, IDictionary<string, TPart>> parts)
        where TPart : class, new()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(accounts);
        ArgumentNullException.ThrowIfNull(parts);
        var group = new SettingGroup<TPart>($"{Prefix}Accounts:<id>:{name}:<n>:");
        keys(group);
        _accounts.Add((group.Settings, Read));
        return this;

        void Read(SettingsReader reader, TOptions options)
        {
            foreach (var (id, account) in accounts(options))
            {
                var own = $"{Prefix}Accounts:{id}:{name}";
                foreach (var number in reader.Source.Children(own))
                {
                    var part = new TPart();
                    group.Apply(reader, part, $"{own}:{number}:");
                    parts(account)[number] = part;
                }
            }
        }
    }

    /// <summary>Adds what is named under one key: <c>Channels:NAME:PARTS:ID</c>, and keys below it where the group has some. A part's own value is the key <c>""</c>.</summary>
    /// <param name="name">What the parts are called, e.g. <c>Agents</c>.</param>
    /// <param name="keys">Adds the keys of a part; their names begin with a colon, but for <c>""</c>.</param>
    /// <param name="set">Takes a part that was read, by its id.</param>
    public ChannelSettings<TOptions> WithNamed<TPart>(string name, Action<SettingGroup<TPart>> keys, Action<TOptions, string, TPart> set)
        where TPart : class, new()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(set);
        var group = new SettingGroup<TPart>($"{Prefix}{name}:<id>");
        keys(group);
        _accounts.Add((group.Settings, Read));
        return this;

        void Read(SettingsReader reader, TOptions options)
        {
            foreach (var id in reader.Source.Children(Prefix + name))
            {
                var part = new TPart();
                group.Apply(reader, part, $"{Prefix}{name}:{id}");
                set(options, id, part);
            }
        }
    }

    /// <summary>Sets what depends on the host, before the keys are read: its data folder, its default agent.</summary>
    public ChannelSettings<TOptions> WithDefaults(Action<TOptions, SettingsReader> set)
    {
        _defaults.Add(set);
        return this;
    }

    /// <summary>Mends options that were read, before they are checked: what is meant though it is written otherwise. Say so with <see cref="SettingsReader.Warn"/>.</summary>
    public ChannelSettings<TOptions> WithMending(Action<TOptions, SettingsReader> mend)
    {
        _mendings.Add(mend);
        return this;
    }

    /// <summary>Adds a check of the options as a whole. Each failure is one line that names the key, what is wrong and an example.</summary>
    public ChannelSettings<TOptions> WithCheck(IValidateOptions<TOptions> check)
    {
        _checks.Add(check);
        return this;
    }

    /// <summary>Adds a variable of another program that stands for a key.</summary>
    /// <param name="variable">The variable.</param>
    /// <param name="name">The key's name in the channel.</param>
    /// <param name="unit">What a bare number of the variable is, e.g. <c>ms</c>.</param>
    public ChannelSettings<TOptions> WithAlias(string variable, string name, string? unit = null)
    {
        Add(new SettingAlias(variable, name, unit));
        return this;
    }

    /// <summary>Says how an account of the settings is named in lanes, where that isn't its lower case.</summary>
    public ChannelSettings<TOptions> WithAccountKey(Func<string, string> key)
    {
        _accountKey = key;
        return this;
    }

    /// <summary>Says how the channel's messages are delivered where no key says it.</summary>
    public ChannelSettings<TOptions> WithDelivery(DeliveryPolicy policy)
    {
        Delivery = policy;
        return this;
    }

    /// <summary>The same where that depends on other keys of the settings. Documentation shows the defaults of <see cref="DeliveryPolicy"/> then.</summary>
    public ChannelSettings<TOptions> WithDelivery(Func<SettingsReader, DeliveryPolicy> policy)
    {
        DeliveryBy = policy;
        return this;
    }

    /// <summary>Reads the keys into options that already have their defaults. What is wrong is told to the reader.</summary>
    public void Apply(SettingsReader reader, TOptions options)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(options);
        foreach (var set in _defaults) set(options, reader);
        _keys.Apply(reader, options);
        foreach (var (_, read) in _accounts) read(reader, options);
        foreach (var mend in _mendings) mend(options, reader);
    }

    /// <summary>Reads and checks; what is wrong is told to the reader.</summary>
    public TOptions Read(SettingsReader reader)
    {
        var options = new TOptions();
        Apply(reader, options);
        foreach (var check in _checks)
        {
            if (check.Validate(Options.DefaultName, options) is not { Failed: true } faults) continue;
            foreach (var fault in faults.Failures) reader.Problem(fault);
        }

        return options;
    }

    /// <inheritdoc/>
    public override void Check(SettingsReader reader) => Read(reader);

    /// <inheritdoc/>
    protected override string AccountKey(string id) => _accountKey?.Invoke(id) ?? base.AccountKey(id);
}
