using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Plugins.Sdk;

/// <summary>
/// Puts a plugin together. A channel gets what it gets inside a host: <c>IInbox</c>, <c>IOutbox</c>, <c>IRecords</c>, <c>ISpool</c>,
/// <c>IResponseRuns</c>, <c>TimeProvider</c>, loggers, and its settings as <c>IOptions&lt;T&gt;</c>.
/// </summary>
public sealed class PluginBuilder
{
    private readonly List<Type> _channels = [];

    /// <summary>The container; <see cref="PluginFolders"/> among what is in it when the channels are made.</summary>
    public IServiceCollection Services { get; } = new ServiceCollection();

    internal IReadOnlyList<Type> Channels => _channels;

    internal PluginSettingsSource Settings { get; } = new();

    /// <summary>Adds a channel.</summary>
    public PluginBuilder AddChannel<TChannel>()
        where TChannel : class, IChannel
    {
        Services.AddSingleton<TChannel>();
        _channels.Add(typeof(TChannel));
        return this;
    }

    /// <summary>Offers the plugin's settings as <c>IOptions&lt;T&gt;</c>. They fit the manifest's schema when they come.</summary>
    /// <param name="type">How they are read.</param>
    public PluginBuilder AddSettings<T>(JsonTypeInfo<T> type)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(type);
        Services.AddSingleton<IOptions<T>>(_ => Options.Create(Settings.Read(type)));
        return this;
    }
}

/// <summary>Where a plugin may keep files.</summary>
/// <param name="Data">Its data folder.</param>
public sealed record PluginFolders(string Data);

/// <summary>The settings, once the host has sent them.</summary>
internal sealed class PluginSettingsSource
{
    public JsonElement? Value { get; set; }

    public T Read<T>(JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return (Value is { } value ? value.Deserialize(type) : JsonSerializer.Deserialize("{}", type)) ?? throw new JsonException();
        }
        catch (JsonException fault)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, $"the settings can't be read: {fault.Path ?? "they are missing"}", fault);
        }
    }
}
