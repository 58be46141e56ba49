namespace ChannelBridge.Abstractions.Hosting;

/// <summary>
/// Something that brings parts to a host: a channel, methods, tools, endpoints, a listener of turns, a section of the diagnostics. What an object brings is
/// what it implements; it is registered once, see <see cref="IRegistry"/>.
/// </summary>
public interface IContributor;
