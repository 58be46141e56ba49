using System.Reflection;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Unit;

/// <summary>Every log event has an id, unique in its assembly, so that an operator can filter and alert by it.</summary>
public sealed class LogEventTests
{
    public static TheoryData<string> Assemblies =>
        [.. Directory.GetFiles(AppContext.BaseDirectory, "*.dll").Select(Path.GetFileNameWithoutExtension)
            .Where(name => name!.StartsWith("ChannelBridge.", StringComparison.Ordinal) && !name.Contains(".Tests", StringComparison.Ordinal) || name == "channelbridge")
            .Select(name => name!)];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void Events_HaveUniqueIds(string assembly)
    {
        const BindingFlags All = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        var ids = Assembly.Load(assembly).GetTypes().SelectMany(type => type.GetMethods(All))
            .Select(method => (Name: $"{method.DeclaringType}.{method.Name}", Event: method.GetCustomAttribute<LoggerMessageAttribute>()))
            .Where(method => method.Event is not null)
            .ToList();
        Assert.DoesNotContain(ids, method => method.Event!.EventId <= 0);
        Assert.Empty(ids.GroupBy(method => method.Event!.EventId).Where(same => same.Count() > 1).SelectMany(same => same.Select(method => method.Name)));
    }
}
