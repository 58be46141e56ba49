using System.Reflection;

namespace ChannelBridge.Tests.Unit;

/// <summary>The arrows of docs/architecture.md, read from the built assemblies.</summary>
public sealed class ArchitectureTests
{
    private const string Product = "ChannelBridge.";

    /// <summary>Which assemblies of the product each one may reference; nothing else.</summary>
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Protocol"] = [],
        ["Identity"] = [],
        ["A2A"] = [],
        ["Abstractions"] = ["Protocol"],
        ["Core"] = ["Abstractions", "Protocol", "Identity"],
        ["Storage.Sqlite"] = ["Abstractions", "Protocol"],
        ["Storage.Postgres"] = ["Abstractions", "Protocol"],
        ["Endpoints"] = ["Core", "Abstractions", "Protocol", "Identity"],
        ["OpenClaw"] = ["Core", "Abstractions", "Protocol"],
        ["Plugins"] = ["Core", "Abstractions", "Protocol", "Identity"],
        ["Plugins.Testing"] = ["Plugins", "Core", "Storage.Sqlite", "Abstractions", "Protocol"],
        ["Plugins.Sdk"] = ["Plugins", "Abstractions", "Protocol"],
        ["Client"] = ["Protocol"],
        ["Client.Identity"] = ["Client", "Identity", "Protocol"],
    };

    // A channel or an agent sees contracts and protocol libraries, and never an engine, a door or another channel.
    private static readonly string[] OfAuthors = ["Abstractions", "Protocol", "A2A", "Identity"];

    public static TheoryData<string> Assemblies => [.. Built().Select(assembly => assembly.GetName().Name!)];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void Assembly_ReferencesOnlyWhatTheArrowsAllow(string name)
    {
        var assembly = Built().Single(candidate => candidate.GetName().Name == name);
        var room = name[Product.Length..];
        var allowed = Allowed.GetValueOrDefault(room)
            ?? (room.StartsWith("Channels.", StringComparison.Ordinal) || room.StartsWith("Agents", StringComparison.Ordinal) ? OfAuthors : null);
        if (allowed is null) return;
        var references = assembly.GetReferencedAssemblies().Select(reference => reference.Name!).Where(reference => reference.StartsWith(Product, StringComparison.Ordinal));
        Assert.Empty(references.Select(reference => reference[Product.Length..]).Except(allowed));
    }

    [Fact]
    public void Rooms_AreAllSeen() =>
        Assert.Superset(
            new HashSet<string> { "Protocol", "Abstractions", "Core", "Endpoints", "OpenClaw", "Plugins", "Storage.Sqlite", "Storage.Postgres",
                "Channels.Bncr", "Channels.InstaClaw", "Channels.A2A", "Channels.Juji", "Channels.MultiClaws", "Channels.Aun" },
            Built().Select(assembly => assembly.GetName().Name![Product.Length..]).ToHashSet());

    /// <summary>The two engines beside messaging: nothing but the composition points at their insides.</summary>
    [Theory]
    [InlineData("Responses")]
    [InlineData("Transfers")]
    public void Engine_IsKnownToTheCompositionOnly(string engine)
    {
        var inside = $"ChannelBridge.Core.{engine}";
        var strangers = NamespaceUses("ChannelBridge.Core")
            .Where(use => use.Used == inside && use.User != inside
                && use.User is not ("Microsoft.Extensions.DependencyInjection" or "ChannelBridge.Core.Hosting" or "ChannelBridge.Core.Diagnostics"))
            .Select(use => use.User);
        Assert.Empty(strangers.Distinct());
    }

    [Fact]
    public void Core_HasNoNamespaceCircle()
    {
        var uses = NamespaceUses("ChannelBridge.Core")
            .Where(use => use.User != use.Used && use.User.StartsWith("ChannelBridge.Core.", StringComparison.Ordinal)
                && use.Used.StartsWith("ChannelBridge.Core.", StringComparison.Ordinal))
            .ToLookup(use => use.User, use => use.Used);
        foreach (var start in uses.Select(group => group.Key)) Assert.Null(FindCircle(start, start, uses, []));
    }

    private static string? FindCircle(string start, string at, ILookup<string, string> uses, HashSet<string> seen)
    {
        foreach (var next in uses[at].Distinct())
        {
            if (next == start) return $"{at} → {start}";
            if (seen.Add(next) && FindCircle(start, next, uses, seen) is { } circle) return $"{at} → {circle}";
        }

        return null;
    }

    /// <summary>Which namespace names types of which, by fields, parameters, base types and local variables.</summary>
    private static IEnumerable<(string User, string Used)> NamespaceUses(string assembly)
    {
        const BindingFlags All = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        foreach (var type in Assembly.Load(assembly).GetTypes())
        {
            var owner = type;
            while (owner.DeclaringType is not null) owner = owner.DeclaringType;
            if (owner.Namespace is not { } user) continue;
            IEnumerable<Type?> used =
            [
                type.BaseType, .. type.GetInterfaces(), .. type.GetFields(All).Select(field => field.FieldType),
                .. type.GetMethods(All).SelectMany(method => method.GetParameters().Select(parameter => parameter.ParameterType).Append(method.ReturnType)),
                .. type.GetConstructors(All).SelectMany(constructor => constructor.GetParameters().Select(parameter => parameter.ParameterType)),
                .. type.GetMethods(All).Cast<MethodBase>().Concat(type.GetConstructors(All))
                    .SelectMany(method => method.GetMethodBody()?.LocalVariables.Select(local => local.LocalType) ?? []),
            ];
            foreach (var named in used.OfType<Type>().SelectMany(Flatten))
            {
                if (named.Namespace is { } ns && named.Assembly == type.Assembly) yield return (user, ns);
            }
        }
    }

    private static IEnumerable<Type> Flatten(Type type)
    {
        if (type.HasElementType) return Flatten(type.GetElementType()!);
        return type.IsGenericType ? type.GetGenericArguments().SelectMany(Flatten).Append(type) : [type];
    }

    private static IEnumerable<Assembly> Built() =>
        Directory.GetFiles(AppContext.BaseDirectory, Product + "*.dll")
            .Select(Path.GetFileNameWithoutExtension)
            .Where(name => !name!.StartsWith(Product + "Tests", StringComparison.Ordinal))
            .Select(name => Assembly.Load(name!));
}
